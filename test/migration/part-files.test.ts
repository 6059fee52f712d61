import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PartFiles } from '../../src/migration/part-files.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

const { log } = pluginContext('part-files');
let directory: ReturnType<typeof throwAwayDirectory>;
let path: string;
beforeEach(() => {
  directory = throwAwayDirectory('part-files');
  path = join(directory.path, 'state.json');
});
afterEach(() => directory.remove());

const part = (after: string | undefined, low: number, bytes: number) => ({
  after: after === undefined ? undefined : Buffer.from(after),
  low,
  high: low + 1,
  run: 'a run',
  facts: { end: Buffer.from('next'), none: undefined },
  records: Buffer.alloc(bytes, after ?? 'first'),
});

const reopened = (owner = 'owner'): PartFiles => {
  const files = new PartFiles(path, owner, log);
  files.load();
  return files;
};

it('parts that were kept are there for the next process, each once, with all that was said of them', async () => {
  const files = new PartFiles(path, 'owner', log);
  const kept = [part(undefined, 10, 0), part('a', 11, 100_000), part('b', 12, 1)];
  for (const each of kept) await files.keep(each);
  const next = reopened();
  for (const each of kept) {
    expect(next.take(each.after, 10)).toMatchObject({ ...each, facts: { end: Buffer.from('next') } });
    expect(next.take(each.after, 10)).toBeUndefined();
  }
});

it('a part is not given to whoever has brought the log further than its moment, nor to another migration', async () => {
  await new PartFiles(path, 'owner', log).keep(part('a', 11, 10));
  expect(reopened().take(Buffer.from('a'), 12)).toBeUndefined();
  expect(reopened('another').take(Buffer.from('a'), 1)).toBeUndefined();
  expect(reopened().take(Buffer.from('a'), 11)).toBeDefined();
});

it('a process that goes on replaces none of the last three parts of the one before with its first', async () => {
  const files = new PartFiles(path, 'owner', log);
  for (let at = 0; at < 6; at++) await files.keep(part(`key ${at}`, 10 + at, 10));
  await reopened().keep(part('key 6', 16, 10));
  const next = reopened();
  for (const at of [3, 4, 5, 6]) expect(next.take(Buffer.from(`key ${at}`), 0)?.low).toBe(10 + at);
});

it('a part that is shorter than the one before in its file is found all the same', async () => {
  const files = new PartFiles(path, 'owner', log);
  for (let at = 0; at < 8; at++) await files.keep(part(`key ${at}`, 10 + at, at < 4 ? 5_000 : 10));
  const next = reopened();
  for (let at = 4; at < 8; at++)
    expect(next.take(Buffer.from(`key ${at}`), 0)?.records).toEqual(part(`key ${at}`, 0, 10).records);
});

it('a file that is torn, changed or of another form is passed over', async () => {
  const files = new PartFiles(path, 'owner', log);
  await files.keep(part('a', 11, 1_000));
  const file = `${path}.read-0`;
  const whole = readFileSync(file);
  expect(statSync(file).mode & 0o077).toBe(0);
  const changed = Buffer.from(whole);
  changed[whole.length - 1] ^= 1;
  const [unknown, other] = [Buffer.from([255, 255, 1, 2]), serialize({ version: 99 })].map((head) => {
    const bytes = Buffer.concat([Buffer.alloc(12), head]);
    bytes.writeUInt32LE(head.length, 4);
    bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
    return bytes;
  });
  for (const bytes of [whole.subarray(0, 500), Buffer.alloc(0), Buffer.alloc(3), changed, unknown, other]) {
    writeFileSync(file, bytes);
    expect(reopened().take(Buffer.from('a'), 0)).toBeUndefined();
  }
  writeFileSync(file, whole);
  expect(reopened().take(Buffer.from('a'), 0)).toBeDefined();
});

it('parts that cannot be kept end nothing, and are told of once', async () => {
  const warnings: string[] = [];
  const context = { ...log, warn: (message: string) => void warnings.push(message) };
  const files = new PartFiles(join(directory.path, 'missing', 'state.json'), 'owner', context);
  await files.keep(part('a', 1, 10));
  await files.keep(part('b', 1, 10));
  expect(warnings).toEqual([expect.stringContaining('cannot be kept')]);
});
