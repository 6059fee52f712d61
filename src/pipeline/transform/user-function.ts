import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findPackage, importModule } from '../../files/index.js';
import {
  type Change,
  messageOf,
  TailraceError,
  type Transform,
  type TransformContext,
} from '../../kit/index.js';
import type { ChangeStage } from './change-stage.js';

/** Where a transform's function is found, and what it is given. */
export interface UserFunctionOptions {
  /** Path of the module, taken from the directory of `from`, or the name of a package. */
  readonly module: string;
  /** Name of the exported function. */
  readonly export: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The file that asks for it. */
  readonly from: string;
}

/**
 * Loads a function of the user's. TypeScript is for Node.js to run: since 22.18 it takes files whose types can be
 * left out.
 * @throws TailraceError `CONFIG_INVALID`
 */
export const loadUserFunction = async (
  { module, export: name, options, from }: UserFunctionOptions,
  place: Pick<TransformContext, 'pipeline' | 'sink'>,
): Promise<ChangeStage> => {
  const isPath = /^\.{0,2}\/|^\.\.?$/.test(module) || isAbsolute(module);
  const path = resolve(dirname(from), module);
  if (isPath && !existsSync(path)) throw unusable(module, from, `there is no file ${path}`);
  let exported: unknown;
  try {
    const loaded = await importModule(isPath ? pathToFileURL(path).href : findPackage(module, from));
    exported = loaded[name];
  } catch (cause) {
    throw unusable(module, from, messageOf(cause), cause);
  }
  if (typeof exported !== 'function') throw unusable(module, from, `it exports no function ${name}`);
  const transform = exported as Transform;
  const failed = (cause: unknown, first: number): TailraceError =>
    new TailraceError(
      'TRANSFORM_FAILED',
      `${module} failed at the transaction of sequence number ${first}: ${messageOf(cause)}`,
      {
        context: { module, sequence: first },
        remedy: 'Mend the function; nothing of this transaction was written.',
        cause,
      },
    );
  return {
    adds: true,
    apply: (changes, { first, last }) => {
      try {
        const result = transform(changes, { ...place, options, first, last });
        if (!(result instanceof Promise)) return requireChanges(result);
        return result.then(requireChanges).catch((cause: unknown) => Promise.reject(failed(cause, first)));
      } catch (cause) {
        throw failed(cause, first);
      }
    },
  };
};

const requireChanges = (result: unknown): readonly Change[] => {
  if (!Array.isArray(result)) throw new Error('it gave back no list of changes');
  for (const change of result as unknown[]) {
    const isChange =
      typeof change === 'object' &&
      change !== null &&
      'op' in change &&
      'type' in change &&
      'seq' in change &&
      typeof change.seq === 'number' &&
      'ns' in change;
    if (!isChange)
      throw new Error('it gave back something that is no change: op, type, seq and ns are needed');
  }
  return result as readonly Change[];
};

const unusable = (module: string, from: string, reason: string, cause?: unknown): TailraceError =>
  new TailraceError('CONFIG_INVALID', `cannot use the transform ${module}: ${reason}`, {
    context: { file: from },
    remedy: 'Name a module that exports a function of changes; TypeScript needs Node.js 22.18 or newer.',
    cause,
  });
