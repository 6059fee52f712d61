import { TailraceError } from '../../errors/index.js';
import { placeOfUrl } from '../place-of-url.js';

/** What a target is, by its address: a Redis protocol server, a file, or a sink of pipelines. */
export type TargetKind = 'server' | 'file' | 'postgres' | 'kafka';

/** Asked before anything is connected to, so that a mistake is told at once. @throws TailraceError `USAGE` */
export const targetKindOf = (url: string): TargetKind => {
  if (/^rediss?:\/\//.test(url)) return 'server';
  if (/\.(ndjson|resp)$/.test(url)) return 'file';
  if (/^postgres(ql)?:\/\//.test(url)) return 'postgres';
  if (/^kafka:\/\/[^/]+\/.+$/.test(url)) return 'kafka';
  throw new TailraceError('USAGE', `${placeOfUrl(url)} is no target that is known`, {
    remedy:
      'Write redis://host:port, a file whose name ends in .resp or .ndjson, postgres://host/database, or kafka://host:port/topic.',
  });
};

/** Settings that nothing would take are a mistake. @throws TailraceError `USAGE`, as `targetKindOf` */
export const requireTarget = (url: string, settings: readonly string[] = []): void => {
  const kind = targetKindOf(url);
  if (settings.length === 0 || kind === 'postgres' || kind === 'kafka') return;
  const what = kind === 'server' ? 'a server' : 'a file';
  throw new TailraceError('USAGE', `--to-option ${settings[0]} has no use: ${placeOfUrl(url)} is ${what}`, {
    remedy: 'It is a setting of the sinks postgres and kafka: leave it out, or name such a target.',
  });
};

/**
 * `otherwise`: what the caller may leave out instead; `settings`: those of the sink, as `--to-option` gives them.
 * @throws TailraceError `USAGE` for a target that cannot be asked for its keys
 */
export const requireComparable = (
  url: string,
  { otherwise = '', settings = [] }: { otherwise?: string; settings?: readonly string[] } = {},
): void => {
  const kind = targetKindOf(url);
  if (kind === 'server') return;
  const mode = settings.findLast((setting) => setting.startsWith('mode='))?.slice('mode='.length);
  if (kind === 'postgres' && (mode === undefined || mode === 'mirror')) return;
  const what = { file: 'a file', kafka: 'a Kafka topic', postgres: `a Postgres in mode ${mode}` }[kind];
  throw new TailraceError('USAGE', `${placeOfUrl(url)} cannot be compared with: it is ${what}`, {
    remedy: `Keys are compared with those of a redis://host:port, of a node of a cluster, too, and of the mirror in a postgres://host/database${otherwise}.`,
  });
};
