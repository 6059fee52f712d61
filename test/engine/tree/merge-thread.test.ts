import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../../../src/engine/index.js';
import type { TreeStore, TreeStoreOptions } from '../../../src/engine/tree/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { runProgram } from '../../support/run-program.js';
import { compiled } from './compiled.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('merge-thread');
});
afterEach(() => {
  vi.restoreAllMocks();
  directory.remove();
});

const openStore = async (
  maxDataBytes = Number.POSITIVE_INFINITY,
): Promise<{ store: TreeStore; options: TreeStoreOptions }> => {
  const { stores, files } = await compiled();
  const options = storeOptions({ maxDataBytes, files });
  await stores.create(directory.path, options);
  return { store: (await stores.open(directory.path, options, [])).store, options };
};

const keyOf = (n: number): Buffer => Buffer.from(`key:${String(n).padStart(6, '0')}`);
let sequence = 0;
const advance = (
  store: TreeStore,
  entries: readonly (readonly [Buffer, Buffer | undefined])[],
): Promise<void> =>
  store.advance([new ListChanges(entries)], ++sequence, {
    isInThread: true,
    sliceMs: () => 5,
    beforeSwitch: async () => {},
  });
const numbers = (from: number, to: number, value: string): [Buffer, Buffer][] =>
  Array.from({ length: to - from }, (_, i) => [keyOf(from + i), Buffer.from(`${value}:${from + i}`)]);

describe('a merge in a thread of its own', () => {
  it('is done there, many chunks of changes, and the thread ends with the store', async () => {
    const threads = new Set<Worker>();
    const send = Worker.prototype.postMessage;
    vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...parameters) {
      threads.add(this);
      send.apply(this, parameters);
    });
    const { store } = await openStore();
    await advance(store, numbers(0, 30_000, 'first'));
    await advance(store, [
      ...numbers(10_000, 20_000, 'second'),
      [keyOf(25_000), Buffer.alloc(300_000, 'large')],
    ]);
    await store.audit();
    const [root] = store.state.roots;
    expect(root?.entries).toBe(30_000);
    if (root === undefined) throw new Error('no root');
    for (let n = 0; n < 30_000; n += 7)
      expect(store.get(root, keyOf(n))?.toString().slice(0, 12)).toBe(
        n === 25_000 ? 'large' : `${n >= 10_000 && n < 20_000 ? 'second' : 'first'}:${n}`.slice(0, 12),
      );
    expect(threads.size).toBe(1);
    await store.close();
    for (const thread of threads) expect(thread.threadId).toBe(-1);
  });

  it('gets changes of any size, more of them than fit into the memory that both threads share', async () => {
    const { store } = await openStore();
    const shared = 64 * 1024;
    const sizes = [0, 1, 100, 5_000, shared / 2, shared - 18, shared - 17, shared, shared * 5];
    const entries = Array.from({ length: 400 }, (_, n): [Buffer, Buffer] => {
      const size = n < 150 ? shared - 40 : (sizes[n % sizes.length] ?? 0); // at first nearly one each
      return [keyOf(n), Buffer.alloc(size, `${n};`)];
    });
    await advance(store, entries);
    await store.audit();
    const [root] = store.state.roots;
    if (root === undefined) throw new Error('no root');
    for (const [key, value] of entries) expect(store.get(root, key)?.equals(value)).toBe(true);
    await store.close();
  });

  it('fails with the error of a damaged page', async () => {
    const { store } = await openStore();
    await advance(store, numbers(0, 5_000, 'x'));
    const [root] = store.state.roots;
    const fd = openSync(join(directory.path, 'data'), 'r+');
    writeSync(fd, 'damage', (root?.unit ?? 0) * 4096 + 100);
    closeSync(fd);
    await expect(advance(store, numbers(0, 5_000, 'y'))).rejects.toMatchObject({
      name: 'TailraceError',
      code: 'STORE_CORRUPT',
      context: { file: join(directory.path, 'data') },
    });
    await store.close();
  });

  it('fails when the data file is full', async () => {
    const { store } = await openStore(1 << 20);
    await expect(advance(store, numbers(0, 50_000, 'x'.repeat(100)))).rejects.toMatchObject({
      code: 'SPACE_EXHAUSTED',
      context: { limitBytes: 1 << 20 },
    });
    await store.close();
  });

  it('fails when the thread ends in the middle, and is done in this thread when it ends before', async () => {
    const { store } = await openStore();
    await advance(store, numbers(0, 5_000, 'x'));
    const send = Worker.prototype.postMessage;
    let isNext = (kind: string): boolean => kind === 'merge';
    vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, message, ...more) {
      if (isNext((message as { kind: string }).kind)) void this.terminate();
      else send.call(this, message, ...more);
    });
    await advance(store, numbers(0, 5_000, 'y'));
    await store.audit();
    await advance(store, numbers(0, 5_000, 'z'));
    await store.audit();
    await store.close();

    const { store: other } = await openStore();
    let chunks = 0;
    isNext = (kind) => kind === 'changes' && ++chunks === 3;
    await expect(advance(other, numbers(0, 50_000, 'x'))).rejects.toThrow(/has ended/);
    await other.close();
  });

  it.each(['idle', 'busy', 'closed'])('does not keep a process that is %s from its end', async (how) => {
    const program = fileURLToPath(
      new URL('../../../dist/test/engine/tree/exits-while-merging.js', import.meta.url),
    );
    const { status, stderr } = await runProgram(process.execPath, [program, directory.path, how]);
    expect(stderr).toBe('');
    expect(status).toBe(how === 'busy' ? 7 : 0);
    await using engine = await Engine.open(directory.path);
    for (let n = 0; n < 8_000; n += 3) expect(engine.get(0, Buffer.from(`k${n}`))?.length).toBe(100);
    await engine.check();
  });
});
