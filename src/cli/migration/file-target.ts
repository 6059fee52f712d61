import { resolve } from 'node:path';
import { FileSink } from '../../../sinks/file/index.js';
import { TailraceError } from '../../errors/index.js';
import { byDatabase, type NamespaceTargets } from './flags.js';
import type { TargetOptions, TargetPlace } from './target-place.js';

/** A file of Redis commands or of change events, as its name ends. */
export const openFile = ({ url, name, namespaces, logger }: TargetOptions): TargetPlace => {
  const path = resolve(url.replace(/^file:(\/\/)?/, ''));
  const format = path.endsWith('.resp') ? 'resp' : 'ndjson';
  const options = { path, source: name, format, namespaces: prefixesAlone(namespaces), sync: true } as const;
  const sink = new FileSink(options, { pipeline: name, log: logger });
  return {
    name: path,
    sink,
    keepsNumbers: format === 'ndjson',
    clears: false,
    prepare: async () => [],
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
};

const prefixesAlone = (namespaces: NamespaceTargets): Readonly<Record<string, string>> => {
  const [{ database, prefixes }, ...others] = byDatabase(namespaces);
  if (others.length === 0 && database === undefined) return prefixes;
  throw new TailraceError('USAGE', 'only a Redis has databases', {
    remedy: 'Give each namespace a prefix by --namespace NAME=PREFIX.',
  });
};
