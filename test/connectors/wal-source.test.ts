import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { WalSource } from '../../connectors/wal/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';

const golden = fileURLToPath(new URL('../fixtures/kvrocks/wal/kvrocks-000010.log', import.meta.url));
const signal = new AbortController().signal;
const directory = throwAwayDirectory('wal-source');
afterAll(() => directory.remove());

const make = (path: string, follow = true): WalSource => new WalSource({ path, follow, pollMs: 5 });

describe('the wal source', () => {
  it('finds the log of a Kvrocks in the folder db of its data directory', async () => {
    const data = join(directory.path, 'kvrocks');
    mkdirSync(join(data, 'db'), { recursive: true });
    writeFileSync(join(data, 'db', 'CURRENT'), 'MANIFEST-000005\n');
    writeFileSync(join(data, 'db', '000010.log'), readFileSync(golden).subarray(0, 1_095_768));
    for (const path of [data, join(data, 'db')]) {
      await using source = make(path, false);
      await source.open({ kind: 'beginning' });
      const pulled = await source.pull({ maxBatches: 10, maxBytes: 1024 * 1024 }, signal);
      expect(pulled?.batches.length).toBe(10);
      expect((await source.newestPosition())?.sequence).toBeGreaterThan(100);
      expect(await source.check()).toMatchObject([{ status: 'ok', detail: expect.stringContaining('1') }]);
    }
  });

  it('refuses a directory that is no store and has no log files, rather than to wait there for ever', async () => {
    const empty = join(directory.path, 'empty');
    mkdirSync(empty);
    const refusal = { code: 'FILE_INACCESSIBLE', message: expect.stringContaining('has no log files') };
    for (const follow of [true, false]) {
      await using source = make(empty, follow);
      await expect(source.open({ kind: 'beginning' })).rejects.toMatchObject(refusal);
      await expect(source.check()).rejects.toMatchObject(refusal);
    }
    await expect(make(join(directory.path, 'missing')).open({ kind: 'latest' })).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
      message: expect.stringContaining('ENOENT'),
    });
  });

  it('waits for the first batch of a store that is new', async () => {
    const path = join(directory.path, 'store');
    await (await Engine.open(path)).close();
    await using source = make(path, false);
    await source.open({ kind: 'beginning' });
    expect(await source.pull({ maxBatches: 10, maxBytes: 1024 }, signal)).toBeNull();
    expect(await source.check()).toMatchObject([{ status: 'ok', detail: 'the log is empty' }]);
  });
});
