import { TailraceError } from '../src/errors/index.js';
import type { PluginContext, Sink, SinkDefinition, Source, SourceDefinition } from '../src/kit/index.js';
import type { Located } from './document.js';
import type { Problem } from './problem.js';
import { readSection, type SchemaSection } from './section.js';

/** Options as a program gives them, in the units of a pipeline file: what is left out has its default. */
export type GivenOptions<Options> = {
  readonly [Name in keyof Options]?: GivenOption<Options[Name]> | undefined;
};

type GivenOption<Option> = Option extends readonly unknown[]
  ? Option
  : Option extends object
    ? GivenOptions<Option>
    : Option;

/**
 * Makes a sink as a pipeline file would: the options are checked by the sink's schema, which has the defaults.
 * @throws TailraceError `CONFIG_INVALID` that lists every problem of the options
 *
 * @example
 * const sink = await createSink(kafkaSink, { brokers: ['127.0.0.1:9092'], topic: 'cdc.{type}' }, { pipeline: 'app', log });
 */
export const createSink = async <Options>(
  definition: SinkDefinition<Options>,
  given: GivenOptions<NoInfer<Options>>,
  context: PluginContext,
): Promise<Sink> => definition.create(checkedOptions(definition, given), context);

/**
 * Makes a session of a source in the same way; one for each sink that reads it.
 * @throws TailraceError `CONFIG_INVALID`
 *
 * @example
 * const source = createSource(kvrocksSource, { url: 'redis://127.0.0.1:6666' }, { pipeline: 'app', log });
 */
export const createSource = <Options>(
  definition: SourceDefinition<Options>,
  given: GivenOptions<NoInfer<Options>>,
  context: PluginContext,
): Source => definition.create(checkedOptions(definition, given), context);

const checkedOptions = <Options>(
  { name, schema }: { readonly name: string; readonly schema: object },
  given: object,
): Options => {
  const problems: Problem[] = [];
  const where = { file: '', path: '', place: nowhere };
  const options = readSection(schema as SchemaSection, located(given), where, problems);
  if (problems.length === 0) return options as Options;
  const lines = problems.map(({ path, message }) => `${name}${path === '' ? '' : `.${path}`}: ${message}`);
  throw new TailraceError('CONFIG_INVALID', lines.join('\n'), {
    context: { plugin: name },
    remedy: 'Mend the options named above; docs/sinks.md and docs/sources.md describe them.',
  });
};

/** A value of the program as one of a file, which the schema can check; undefined counts as left out. */
const located = (value: unknown): Located => {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(located), place: nowhere };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return {
      kind: 'map',
      entries: new Map(entries.map(([key, item]) => [key, { key: nowhere, value: located(item) }])),
      place: nowhere,
    };
  }
  const isScalar = typeof value === 'number' || typeof value === 'boolean' || value === null;
  return { kind: 'scalar', value: isScalar ? value : String(value), place: nowhere };
};

const nowhere = { line: 0, column: 0 };
