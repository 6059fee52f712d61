import type { Located, Place } from './document.js';
import { type FilePlace, type Problem, suggest } from './problem.js';
import { listOf, readSection, type SchemaSection } from './section.js';
import { type TransformSettings, transformSchemas } from './transform-schema.js';

/** A transform, and where the file has it: what is wrong with its patterns is only found when it is made. */
export type PlacedTransform = TransformSettings & { readonly place: FilePlace };

/** The transforms of a pipeline or a sink, in their order. */
export const readTransforms = (
  located: Located | undefined,
  file: string,
  path: string,
  problems: Problem[],
): PlacedTransform[] =>
  listOf(located, path, file, problems).flatMap((item, i) => {
    const transform = readTransform(item, { file, path: `${path}[${i}]`, place: item.place }, problems);
    return transform === undefined ? [] : [transform];
  });

const readTransform = (
  located: Located,
  where: { file: string; path: string; place: Place },
  problems: Problem[],
): PlacedTransform | undefined => {
  const { file, path } = where;
  const known = Object.keys(transformSchemas);
  const names = located.kind === 'map' ? [...located.entries.keys()] : [];
  const [name] = names;
  if (located.kind !== 'map' || names.length !== 1 || !isTransformName(name)) {
    const hint = name === undefined || isTransformName(name) ? '' : suggest(name, known);
    const message = `must be a map with one transform: ${known.join(', ')}${hint}`;
    problems.push({ file, ...located.place, path, message });
    return undefined;
  }
  const inner = { ...where, path: `${path}.${name}` };
  const options = readSection(
    transformSchemas[name] as SchemaSection,
    located.entries.get(name)?.value,
    inner,
    problems,
  );
  const place = { file, ...located.place, path: inner.path };
  return { kind: name, ...options, place } as unknown as PlacedTransform;
};

const isTransformName = (name: string): name is keyof typeof transformSchemas =>
  Object.hasOwn(transformSchemas, name);
