import { codeOf, messageOf, TailraceError } from '../src/errors/index.js';
import type { SinkDefinition, SourceDefinition } from '../src/kit/index.js';
import { requireOtherServer, requireSoleTargets, requireUniqueNames } from './apart.js';
import {
  childOf,
  type Located,
  type Place,
  parseDocumentText,
  processSurroundings,
  type Surroundings,
} from './document.js';
import { requireFileNames } from './file-names.js';
import { requireOffsetsUrl, requireOneLetterPlace } from './kept-places.js';
import { type PipelineSettings, pipelineSchema, type SinkSettings, sinkSchema } from './pipeline-schema.js';
import { readPipelineText } from './pipeline-text.js';
import { type FilePlace, formatProblem, type Problem, suggest } from './problem.js';
import { type PlacedTransform, readTransforms } from './read-transforms.js';
import { isFaulty, listOf, readSection, type SchemaSection } from './section.js';
import { type RouteSettings, routeSchema } from './transform-schema.js';

/** Sources and sinks by name. Their options are checked by their own schemas. */
export interface Registry extends Definitions {
  /** What single files name beyond these: a path means another module in each folder. */
  readonly ofFiles?: ReadonlyMap<string, Definitions>;
}

/** The sources and sinks that files may name, each by its own name. */
export interface Definitions {
  readonly sources: ReadonlyMap<string, SourceDefinition<unknown>>;
  readonly sinks: ReadonlyMap<string, SinkDefinition<unknown>>;
  /** Names that cannot be used, and why. */
  readonly faults?: ReadonlyMap<string, string>;
}

/** A source or sink that a file asks for, with its options checked. */
export interface Chosen<Definition> {
  /** Name within the pipeline: the definition's, numbered when several are alike. */
  readonly name: string;
  readonly definition: Definition;
  readonly options: unknown;
  /** Where the file asks for it, for errors that only its making finds. */
  readonly place: FilePlace;
}

/** A sink with what every sink has. */
export interface ChosenSink extends Chosen<SinkDefinition<unknown>> {
  /** 0 = without limit. */
  readonly maxLag: number;
  readonly transforms: readonly PlacedTransform[];
}

/** A route, and where the file has it. */
export interface PlacedRoute extends RouteSettings {
  readonly place: FilePlace;
}

/** One pipeline of a file, checked, with all defaults. */
export interface PipelineConfig extends PipelineSettings {
  readonly file: string;
  /** Where in the file its name stands, or it begins. */
  readonly place: Place;
  readonly source: Chosen<SourceDefinition<unknown>>;
  readonly sinks: readonly ChosenSink[];
  readonly transforms: readonly PlacedTransform[];
  /** None = every change goes to every sink. */
  readonly routes: readonly PlacedRoute[];
  /** The sink that takes the dead letters. */
  readonly deadLetterSink?: Chosen<SinkDefinition<unknown>>;
  /** Where the file names their file, or would. */
  readonly lettersPlace: FilePlace;
}

/** What the files say, and all that is wrong with them. */
export interface LoadResult {
  readonly pipelines: readonly PipelineConfig[];
  readonly problems: readonly Problem[];
}

/** Reads pipeline files; all problems of all files are reported at once. */
export const loadPipelines = (files: readonly string[], registry: Registry): LoadResult => {
  const problems: Problem[] = [];
  const pipelines: PipelineConfig[] = [];
  for (const file of files) {
    let text: string;
    try {
      text = readPipelineText(file);
    } catch (error) {
      const message = unreadable(error);
      problems.push({ file, line: 1, column: 1, path: '', message });
      continue;
    }
    pipelines.push(
      ...readPipelines(text, file, definitionsFor(file, registry), processSurroundings, problems),
    );
  }
  requireFileNames(pipelines, problems);
  requireUniqueNames(pipelines, problems);
  requireSoleTargets(pipelines, problems);
  requireOtherServer(pipelines, problems);
  problems.sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
  return { pipelines, problems };
};

const definitionsFor = (file: string, { sources, sinks, ofFiles }: Registry): Definitions => {
  const own = ofFiles?.get(file);
  return {
    sources: new Map([...sources, ...(own?.sources ?? [])]),
    sinks: new Map([...sinks, ...(own?.sinks ?? [])]),
    faults: own?.faults ?? new Map(),
  };
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
  registry: Definitions,
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
  if (several.value.items.length === 0)
    problems.push({ file, ...several.value.place, path: 'pipelines', message: 'at least one is required' });
  return several.value.items.map((item, at) =>
    readPipeline(item, `pipelines[${at}]`, file, registry, problems),
  );
};

const readPipeline = (
  located: Located,
  path: string,
  file: string,
  registry: Definitions,
  problems: Problem[],
): PipelineConfig => {
  const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
  const { place } = located;
  const others = ['source', 'sinks', 'transforms', 'routes'];
  const settings = readSection(
    pipelineSchema as unknown as SchemaSection,
    located,
    { file, path, place },
    problems,
    others,
  );
  const part = (key: string): Located | undefined => childOf(located, key);
  const where = (key: string): ChoiceWhere => ({ file, path: at(key), place, faults: registry.faults });
  const source = readChosen(part('source'), 'connector', registry.sources, where('source'), problems);
  const sinks = readSinks(part('sinks'), registry, where('sinks'), problems);
  const { offsets } = settings as unknown as PipelineSettings;
  requireOffsetsUrl(offsets, { ...where('offsets'), located: part('offsets') }, problems);
  requireOneLetterPlace({ ...where('deadLetters'), located: part('deadLetters') }, problems);
  const letters = childOf(part('deadLetters'), 'sink');
  const lettersFile = childOf(part('deadLetters'), 'path') ?? part('deadLetters') ?? part('name') ?? located;
  const deadLetterSink =
    letters?.kind === 'map'
      ? readChosen(letters, 'sink', registry.sinks, where('deadLetters.sink'), problems)
      : undefined;
  return {
    ...(settings as unknown as PipelineSettings),
    ...(deadLetterSink === undefined ? {} : { deadLetterSink }),
    file,
    place: part('name')?.place ?? place,
    lettersPlace: { file, ...lettersFile.place, path: at('deadLetters.path') },
    source: source as Chosen<SourceDefinition<unknown>>,
    sinks,
    transforms: readTransforms(part('transforms'), file, at('transforms'), problems),
    routes: readRoutes(part('routes'), sinks, where('routes'), problems),
  };
};

/** At least one, each with a name of its own. */
const readSinks = (
  located: Located | undefined,
  registry: Definitions,
  { file, path, place }: ChoiceWhere,
  problems: Problem[],
): ChosenSink[] => {
  const items = listOf(located, path, file, problems);
  if (items.length === 0 && (located === undefined || located.kind === 'list'))
    problems.push({ file, ...(located?.place ?? place), path, message: 'at least one sink is required' });
  return namedApart(
    items.map((item, i) => readSink(item, registry, file, `${path}[${i}]`, problems)),
    (i, message) => problems.push({ file, ...items[i].place, path: `${path}[${i}].name`, message }),
  );
};

const readRoutes = (
  located: Located | undefined,
  sinks: readonly ChosenSink[],
  { file, path }: ChoiceWhere,
  problems: Problem[],
): PlacedRoute[] =>
  listOf(located, path, file, problems).map((item, i) => {
    const where = { file, path: `${path}[${i}]`, place: item.place };
    const route = readSection(routeSchema, item, where, problems) as unknown as RouteSettings;
    requireSinks(route, sinks, item, where, problems);
    return { ...route, place: { file, ...item.place, path: where.path } };
  });

const readSink = (
  item: Located,
  registry: Definitions,
  file: string,
  path: string,
  problems: Problem[],
): ChosenSink | undefined => {
  const { place } = item;
  const own = Object.keys(sinkSchema);
  const chosen = readChosen(
    item,
    'sink',
    registry.sinks,
    { file, path, place, faults: registry.faults },
    problems,
    [...own, 'transforms'],
  );
  if (chosen === undefined || item.kind !== 'map') return undefined;
  const entries = new Map([...item.entries].filter(([key]) => own.includes(key)));
  const settings = readSection(
    sinkSchema as unknown as SchemaSection,
    { ...item, entries },
    { file, path, place },
    problems,
  ) as unknown as SinkSettings;
  const transforms = readTransforms(
    item.entries.get('transforms')?.value,
    file,
    `${path}.transforms`,
    problems,
  );
  return { ...chosen, ...settings, name: settings.name || chosen.name, transforms };
};

const requireSinks = (
  { to }: RouteSettings,
  sinks: readonly ChosenSink[],
  located: Located,
  where: { file: string; path: string },
  problems: Problem[],
): void => {
  const names = sinks.map(({ name }) => name);
  const { place } = childOf(located, 'to') ?? located;
  for (const name of to ?? [])
    if (!names.includes(name))
      problems.push({
        file: where.file,
        ...place,
        path: `${where.path}.to`,
        message: `there is no sink named ${JSON.stringify(name)}${suggest(name, names)}${names.length === 0 ? '' : `; there are ${names.join(', ')}`}`,
      });
};

/** Where something is chosen, and which names are known but cannot be used. */
interface ChoiceWhere {
  readonly file: string;
  readonly path: string;
  readonly place: Place;
  readonly faults: ReadonlyMap<string, string> | undefined;
}

const notInstalled = ', nor a package of that name (a module is named by its path, ./…)';

/** A map with the name of a definition under `word`, and that definition's options beside it. */
const readChosen = <Definition extends { readonly name: string; readonly schema: object }>(
  located: Located | undefined,
  word: string,
  definitions: ReadonlyMap<string, Definition>,
  where: ChoiceWhere,
  problems: Problem[],
  others: readonly string[] = [],
): Chosen<Definition> | undefined => {
  const { file, path } = where;
  const place = located?.place ?? where.place;
  if (isFaulty(located)) return undefined;
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
  if (isFaulty(chosen)) return undefined;
  const name = chosen?.kind === 'scalar' ? chosen.value : undefined;
  const names = [...definitions.keys()];
  const definition = typeof name === 'string' ? definitions.get(name) : undefined;
  if (definition === undefined) {
    const fault = where.faults?.get(String(name));
    const message =
      name === undefined
        ? `is required: one of ${names.join(', ')}`
        : (fault ??
          `there is no ${word} ${JSON.stringify(name)}${suggest(String(name), names) || notInstalled}; there are ${names.join(', ')}`);
    problems.push({ file, ...(chosen?.place ?? place), path: `${path}.${word}`, message });
    return undefined;
  }
  const options = readSection(definition.schema as SchemaSection, located, { file, path, place }, problems, [
    word,
    ...others,
  ]);
  return { name: definition.name, definition, options, place: { file, ...place, path } };
};

/** Sinks of the same kind get distinct names, `file`, `file-2` …, unless the file names them. */
const namedApart = (
  sinks: readonly (ChosenSink | undefined)[],
  report: (at: number, message: string) => void,
): ChosenSink[] => {
  const taken = new Set<string>();
  return sinks.flatMap((sink, at) => {
    if (sink === undefined) return [];
    const isNamed = sink.name !== sink.definition.name;
    if (isNamed && taken.has(sink.name))
      report(at, `the name ${JSON.stringify(sink.name)} is taken by another sink`);
    let { name } = sink;
    for (let number = 2; taken.has(name); number++) name = `${sink.name}-${number}`;
    taken.add(name);
    return [{ ...sink, name }];
  });
};

const unreadable = (error: unknown): string => {
  const code = codeOf(error);
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'this is a directory, not a file';
  if (error instanceof RangeError) return error.message;
  return `cannot read the file: ${messageOf(error)}`;
};
