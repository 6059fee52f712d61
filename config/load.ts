import { readFileSync } from 'node:fs';
import { TailraceError } from '../src/errors/index.js';
import type { SinkDefinition, SourceDefinition } from '../src/kit/index.js';
import {
  type Located,
  type Place,
  parseDocumentText,
  processSurroundings,
  type Surroundings,
} from './document.js';
import {
  type FilterSettings,
  filterSchema,
  type PipelineSettings,
  pipelineSchema,
} from './pipeline-schema.js';
import { formatProblem, type Problem, suggest } from './problem.js';
import { readSection, type SchemaSection } from './section.js';

/** Sources and sinks by name. Their options are checked by their own schemas. */
export interface Registry {
  readonly sources: ReadonlyMap<string, SourceDefinition<unknown>>;
  readonly sinks: ReadonlyMap<string, SinkDefinition<unknown>>;
}

/** A source or sink that a file asks for, with its options checked. */
export interface Chosen<Definition> {
  /** Name within the pipeline: the definition's, numbered when several are alike. */
  readonly name: string;
  readonly definition: Definition;
  readonly options: unknown;
}

/** One pipeline of a file, checked, with all defaults. */
export interface PipelineConfig extends PipelineSettings {
  readonly file: string;
  readonly source: Chosen<SourceDefinition<unknown>>;
  readonly sinks: readonly Chosen<SinkDefinition<unknown>>[];
  readonly filters: readonly FilterSettings[];
}

export interface LoadResult {
  readonly pipelines: readonly PipelineConfig[];
  readonly problems: readonly Problem[];
}

/** Reads pipeline files; all problems of all files are reported at once. */
export const loadPipelines = (
  files: readonly string[],
  registry: Registry,
  surroundings: Surroundings = processSurroundings,
): LoadResult => {
  const problems: Problem[] = [];
  const pipelines: PipelineConfig[] = [];
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      const message = `cannot read the file: ${error instanceof Error ? error.message : error}`;
      problems.push({ file, line: 1, column: 1, path: '', message });
      continue;
    }
    pipelines.push(...readPipelines(text, file, registry, surroundings, problems));
  }
  requireUniqueNames(pipelines, problems);
  return { pipelines, problems };
};

/** Reads pipeline files or throws one error that lists every problem. @throws TailraceError `CONFIG_INVALID` */
export const requirePipelines = (files: readonly string[], registry: Registry): readonly PipelineConfig[] => {
  const { pipelines, problems } = loadPipelines(files, registry);
  if (problems.length === 0) return pipelines;
  throw new TailraceError('CONFIG_INVALID', problems.map(formatProblem).join('\n'), {
    context: { problems: problems.length },
    remedy: 'Mend the places named above; `tailrace validate FILE` checks without running.',
  });
};

/** The pipelines of one file's text. */
export const readPipelines = (
  text: string,
  file: string,
  registry: Registry,
  surroundings: Surroundings,
  problems: Problem[],
): PipelineConfig[] => {
  const root = parseDocumentText(text, file, surroundings, problems);
  if (root === undefined) return [];
  if (root.kind !== 'map') {
    problems.push({ file, ...root.place, path: '', message: 'must be a map with name, source and sinks' });
    return [];
  }
  const several = root.entries.get('pipelines');
  if (several === undefined) return [readPipeline(root, '', file, registry, problems)];
  for (const [key, entry] of root.entries)
    if (key !== 'pipelines')
      problems.push({
        file,
        ...entry.key,
        path: key,
        message: 'stands beside pipelines: move it into one of them',
      });
  if (several.value.kind !== 'list') {
    problems.push({ file, ...several.value.place, path: 'pipelines', message: 'must be a list' });
    return [];
  }
  return several.value.items.map((item, at) =>
    readPipeline(item, `pipelines[${at}]`, file, registry, problems),
  );
};

const readPipeline = (
  located: Located,
  path: string,
  file: string,
  registry: Registry,
  problems: Problem[],
): PipelineConfig => {
  const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
  const { place } = located;
  const others = ['source', 'sinks', 'transforms'];
  const settings = readSection(
    pipelineSchema as unknown as SchemaSection,
    located,
    { file, path, place },
    problems,
    others,
  );
  const part = (key: string): Located | undefined =>
    located.kind === 'map' ? located.entries.get(key)?.value : undefined;
  const chosenSource = readChosen(
    part('source'),
    'connector',
    registry.sources,
    { file, path: at('source'), place },
    problems,
  );
  const sinkList = listOf(part('sinks'), at('sinks'), file, problems);
  if (sinkList.length === 0)
    problems.push({
      file,
      ...(part('sinks')?.place ?? place),
      path: at('sinks'),
      message: 'at least one sink is required',
    });
  const sinks = sinkList.map((item, i) =>
    readChosen(item, 'sink', registry.sinks, { file, path: `${at('sinks')}[${i}]`, place }, problems),
  );
  const filters = listOf(part('transforms'), at('transforms'), file, problems).map((item, i) =>
    readTransform(item, { file, path: `${at('transforms')}[${i}]`, place: item.place }, problems),
  );
  return {
    ...(settings as unknown as PipelineSettings),
    file,
    source: chosenSource as Chosen<SourceDefinition<unknown>>,
    sinks: numbered(sinks.filter((sink) => sink !== undefined)),
    filters,
  };
};

/** A map with the name of a definition under `word`, and that definition's options beside it. */
const readChosen = <Definition extends { readonly name: string; readonly schema: object }>(
  located: Located | undefined,
  word: string,
  definitions: ReadonlyMap<string, Definition>,
  where: { file: string; path: string; place: Place },
  problems: Problem[],
): Chosen<Definition> | undefined => {
  const { file, path } = where;
  const place = located?.place ?? where.place;
  if (located?.kind !== 'map') {
    problems.push({
      file,
      ...place,
      path,
      message: located === undefined ? 'is required' : `must be a map with ${word} and its options`,
    });
    return undefined;
  }
  const chosen = located.entries.get(word)?.value;
  const name = chosen?.kind === 'scalar' ? chosen.value : undefined;
  const names = [...definitions.keys()];
  const definition = typeof name === 'string' ? definitions.get(name) : undefined;
  if (definition === undefined) {
    const message =
      name === undefined
        ? `is required: one of ${names.join(', ')}`
        : `there is no ${word} ${JSON.stringify(name)}${suggest(String(name), names)}; there are ${names.join(', ')}`;
    problems.push({ file, ...(chosen?.place ?? place), path: `${path}.${word}`, message });
    return undefined;
  }
  const options = readSection(definition.schema as SchemaSection, located, { file, path, place }, problems, [
    word,
  ]);
  return { name: definition.name, definition, options };
};

const readTransform = (
  located: Located,
  where: { file: string; path: string; place: Place },
  problems: Problem[],
): FilterSettings => {
  const { file, path } = where;
  const names = located.kind === 'map' ? [...located.entries.keys()] : [];
  if (located.kind !== 'map' || names.length !== 1 || names[0] !== 'filter') {
    const hint = names[0] === undefined || names[0] === 'filter' ? '' : suggest(names[0], ['filter']);
    problems.push({
      file,
      ...located.place,
      path,
      message: `must be a map with one transform: filter${hint}`,
    });
    return { keys: [], excludeKeys: [], namespaces: [], types: [], ops: [] };
  }
  const filter = located.entries.get('filter')?.value;
  return readSection(
    filterSchema,
    filter,
    { ...where, path: `${path}.filter` },
    problems,
  ) as unknown as FilterSettings;
};

const listOf = (
  located: Located | undefined,
  path: string,
  file: string,
  problems: Problem[],
): readonly Located[] => {
  if (located === undefined) return [];
  if (located.kind === 'list') return located.items;
  problems.push({ file, ...located.place, path, message: 'must be a list' });
  return [];
};

/** Sinks of the same kind get distinct names: `file`, `file-2` … */
const numbered = <Item extends { readonly name: string }>(items: readonly Item[]): Item[] => {
  const counts = new Map<string, number>();
  return items.map((item) => {
    const count = (counts.get(item.name) ?? 0) + 1;
    counts.set(item.name, count);
    return count === 1 ? item : { ...item, name: `${item.name}-${count}` };
  });
};

const requireUniqueNames = (pipelines: readonly PipelineConfig[], problems: Problem[]): void => {
  const seen = new Map<string, string>();
  for (const { name, file } of pipelines) {
    const other = seen.get(name);
    if (other !== undefined && name)
      problems.push({
        file,
        line: 1,
        column: 1,
        path: 'name',
        message: `the name ${JSON.stringify(name)} is taken by another pipeline in ${other}`,
      });
    seen.set(name, file);
  }
};
