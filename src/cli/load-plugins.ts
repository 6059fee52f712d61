import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { type Definitions, type Registry, readPipelineText } from '../../config/index.js';
import { findPackage, importModule } from '../files/index.js';
import { codeOf, messageOf, type SinkDefinition, type SourceDefinition } from '../kit/index.js';
import { builtIn } from './registry.js';

/**
 * The built-in sources and sinks, and those that pipeline files name by path or package: a module that exports a
 * `source` or a `sink`, or has it as its default export. Names that no package has are left to the check of the file,
 * and so are modules that cannot be used, with the reason.
 */
export const registryFor = async (files: readonly string[]): Promise<Registry> => {
  const ofFiles = new Map<string, Definitions>();
  for (const file of files) ofFiles.set(file, await pluginsOf(file));
  return { ...builtIn, ofFiles };
};

const pluginsOf = async (file: string): Promise<Definitions> => {
  const sources = new Map<string, SourceDefinition<unknown>>();
  const sinks = new Map<string, SinkDefinition<unknown>>();
  const faults = new Map<string, string>();
  for (const { kind, name } of namesIn(file)) {
    if (kind === 'sink' ? builtIn.sinks.has(name) : builtIn.sources.has(name)) continue;
    const found = await importFrom(file, name);
    if (found === undefined) continue;
    if ('fault' in found) {
      faults.set(name, `cannot be used: ${found.fault}`);
      continue;
    }
    const definition = found.module[kind] ?? found.module['default'];
    if (!isDefinition(definition))
      faults.set(
        name,
        `cannot be used: it exports no ${kind} with a name, a schema and create (docs/connectors.md)`,
      );
    else if (kind === 'sink') sinks.set(name, definition as SinkDefinition<unknown>);
    else sources.set(name, definition as SourceDefinition<unknown>);
  }
  return { sources, sinks, faults };
};

interface NamedPlugin {
  readonly kind: 'source' | 'sink';
  readonly name: string;
}

/** Whatever is wrong with the file is told by the check of the configuration. */
const namesIn = (file: string): NamedPlugin[] => {
  let document: unknown;
  try {
    document = parse(readPipelineText(file), { maxAliasCount: 0, logLevel: 'error' });
  } catch {
    return [];
  }
  return asList(fieldOf(document, 'pipelines') ?? [document]).flatMap((pipeline) => {
    const connector = fieldOf(fieldOf(pipeline, 'source'), 'connector');
    const letters = fieldOf(fieldOf(pipeline, 'deadLetters'), 'sink');
    const sinks = [...asList(fieldOf(pipeline, 'sinks')), letters].map((sink) => fieldOf(sink, 'sink'));
    return [
      ...(typeof connector === 'string' ? [{ kind: 'source' as const, name: connector }] : []),
      ...sinks.filter((name) => typeof name === 'string').map((name) => ({ kind: 'sink' as const, name })),
    ];
  });
};

type Imported = { readonly module: Readonly<Record<string, unknown>> } | { readonly fault: string };

const importFrom = async (file: string, name: string): Promise<Imported | undefined> => {
  const isPath = /^\.{1,2}\//.test(name) || isAbsolute(name);
  const path = resolve(dirname(file), name);
  if (isPath && !existsSync(path)) return { fault: `there is no file ${path}` };
  try {
    const specifier = isPath ? pathToFileURL(path).href : findPackage(name, file);
    return { module: await importModule(specifier) };
  } catch (error) {
    const isMissing = codeOf(error) === 'MODULE_NOT_FOUND';
    if (!isPath && isMissing) return undefined;
    return { fault: messageOf(error) };
  }
};

const isDefinition = (value: unknown): boolean =>
  typeof fieldOf(value, 'name') === 'string' &&
  typeof fieldOf(value, 'schema') === 'object' &&
  typeof fieldOf(value, 'create') === 'function';

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
