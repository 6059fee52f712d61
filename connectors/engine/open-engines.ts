import { resolve } from 'node:path';
import { Engine } from '../../src/engine/index.js';
import type { Logger } from '../../src/kit/index.js';
import type { BorrowedStore } from './engine-source.js';

/** Stores that this process has open for sources, by directory. A store has one owner, but any number of readers. */
const openEngines = new Map<string, { readonly engine: Promise<Engine>; users: number }>();
/** What is being closed, until its directory is free. */
const closing = new Map<string, Promise<void>>();

/** Opens the store of a directory, or shares it with the sources that have it open; the last to give it back closes it. */
export const borrowEngine = async (path: string, log: Logger): Promise<BorrowedStore> => {
  const directory = resolve(path);
  await closing.get(directory);
  const open = openEngines.get(directory) ?? { engine: openTelling(directory, log), users: 0 };
  openEngines.set(directory, open);
  open.users++;
  const giveBack = async (): Promise<void> => {
    if (--open.users > 0) return;
    openEngines.delete(directory);
    const closed = open.engine.then((engine) => engine.close()).finally(() => closing.delete(directory));
    closing.set(directory, closed);
    await closed;
  };
  try {
    return { store: await open.engine, giveBack };
  } catch (error) {
    if (--open.users === 0) openEngines.delete(directory);
    throw error;
  }
};

const openTelling = async (directory: string, log: Logger): Promise<Engine> => {
  const engine = await Engine.open(directory);
  if (engine.timesFault !== undefined)
    log.warn('when older sequence numbers were reached is not known any more', { ...engine.timesFault });
  return engine;
};
