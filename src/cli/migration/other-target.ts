import { formatProblem, type Problem, processSurroundings, readPipelines } from '../../../config/index.js';
import { TailraceError } from '../../errors/index.js';
import { placeOfUrl } from '../place-of-url.js';
import { builtIn } from '../registry.js';
import type { TargetOptions, TargetPlace } from './target-place.js';

/**
 * A Postgres or a Kafka as the target, by the sinks of pipelines: their settings are those of a pipeline's file, checked in the
 * same way. @throws TailraceError `USAGE` | `CONFIG_INVALID`
 */
export const openOther = async (options: TargetOptions, kind: 'postgres' | 'kafka'): Promise<TargetPlace> => {
  const { url, name, existing, logger } = options;
  if (existing === 'skip')
    throw new TailraceError('USAGE', `keys of ${placeOfUrl(url)} cannot be left alone one by one`, {
      remedy: 'Leave --existing out, or say --existing overwrite to empty it first.',
    });
  const settings = { ...settingsOf(options, kind), ...given(options.settings) };
  const document = { name, source: { connector: 'kvrocks', url: 'redis://127.0.0.1' }, sinks: [settings] };
  const problems: Problem[] = [];
  const [config] = readPipelines(JSON.stringify(document), '--to', builtIn, processSurroundings, problems);
  if (problems.length > 0)
    throw new TailraceError('CONFIG_INVALID', problems.map(formatProblem).join('\n'), {
      remedy: 'Mend --to or --to-option; docs/sinks.md has the settings.',
    });
  const [chosen] = config.sinks;
  const sink = await chosen.definition.create(chosen.options, {
    pipeline: name,
    sink: chosen.name,
    log: logger,
  });
  return {
    name: placeOfUrl(url),
    sink,
    keepsNumbers: true,
    clears: existing === 'overwrite',
    prepare: async () => [],
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
};

const settingsOf = (
  { url, password }: TargetOptions,
  kind: 'postgres' | 'kafka',
): Record<string, unknown> => {
  if (kind === 'postgres') return { ...postgresSettings, url, ...(password === '' ? {} : { password }) };
  const [brokers, ...topic] = url.slice('kafka://'.length).split('/');
  return { sink: 'kafka', brokers: brokers.split(','), topic: topic.join('/') };
};

/** Columns of bytes: a migration meets what is no text. */
const postgresSettings = { sink: 'postgres', mode: 'mirror', keys: 'bytea', values: 'bytea' };

/** `name=value`, numbers and truth values as such. */
const given = (settings: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    settings.map((entry) => {
      const at = entry.indexOf('=');
      if (at < 1)
        throw new TailraceError('USAGE', `--to-option ${entry} has no name and value`, {
          remedy: 'Write --to-option mode=changelog, for example.',
        });
      const text = entry.slice(at + 1);
      return [entry.slice(0, at), /^(true|false|-?\d+)$/.test(text) ? JSON.parse(text) : text];
    }),
  );
