import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { RocksLevel } from '@nxtedition/rocksdb';
import { describe, expect, it } from 'vitest';
import { crc32c, maskCrc, writeU32 } from '../../../src/bytes/index.js';
import { LogDirectoryReader, LogFramer, LogReader, summariseLog } from '../../../src/engine/index.js';
import { RecordKind, WriteBatchBuilder, WriteBatchReader } from '../../../src/write-batch/index.js';
import { useLog } from './use-log.js';

/** Small, repetitive, larger than a block, and as random as not to be compressed. */
const values = (count: number): Buffer[] => {
  let state = 20261121;
  const random = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  };
  return Array.from({ length: count }, (_, at) => {
    if (at % 100 === 50) return Buffer.from(Array.from({ length: 100_000 }, random));
    if (at % 100 === 60) return Buffer.alloc(3_000_000, `value ${at} `);
    return Buffer.alloc(random() % 500, `value ${random() % 10} `);
  });
};

const writeStore = async (path: string, all: readonly Buffer[]): Promise<RocksLevel<string, Buffer>> => {
  const options = { walCompression: true, valueEncoding: 'buffer' };
  const store = new RocksLevel<string, Buffer>(path, options);
  await store.open();
  for (const [at, value] of all.entries()) await store.put(`key ${at}`, value);
  return store;
};

const putIn = (batch: Buffer): Buffer => {
  const reader = new WriteBatchReader(batch);
  while (reader.next()) if (reader.kind === RecordKind.Put) return Buffer.from(reader.value());
  throw new Error('no put');
};

const readAll = (path: string, from = 0): Buffer[] => {
  const reader = new LogDirectoryReader(path, from);
  const found: Buffer[] = [];
  for (let batch = reader.next(); batch !== undefined; batch = reader.next()) found.push(putIn(batch.bytes));
  reader.close();
  return found;
};

const firstRecord = (compression: number): Buffer => {
  const record = Buffer.alloc(11);
  record.writeUInt16LE(4, 4);
  record[6] = 9;
  writeU32(record, 7, compression);
  writeU32(record, 0, maskCrc(crc32c(record.subarray(6))));
  return record;
};

/** A log whose records have these payloads. */
const compressedLog = (payloads: readonly Buffer[], compression = 7): Buffer => {
  const framer = new LogFramer();
  framer.restart(11);
  for (const payload of payloads) framer.append(payload);
  return Buffer.concat([firstRecord(compression), framer.bytes]);
};

/** A frame of one block that is stored as it is. */
const frameOf = (bytes: Buffer): Buffer => {
  const header = Buffer.from('28b52ffda000000000000000', 'hex');
  header.writeUInt32LE(bytes.length, 5);
  header.writeUIntLE((bytes.length << 3) | 1, 9, 3);
  return Buffer.concat([header, bytes]);
};

const batch = (sequence: number): Buffer => {
  const bytes = new WriteBatchBuilder().put(0, Buffer.from('key'), Buffer.alloc(100, 'x')).finish();
  bytes.writeBigUInt64LE(BigInt(sequence));
  return bytes;
};

describe('a log that RocksDB compressed', () => {
  const log = useLog();

  it('is read as it grows, whole from its beginning, and from any sequence number on', async () => {
    const all = values(300);
    const store = await writeStore(log.path, all.slice(0, 200));
    const tail = new LogDirectoryReader(log.path, 0);
    for (const value of all.slice(0, 200))
      expect(putIn(tail.next()?.bytes ?? value).equals(value)).toBe(true);
    for (const [at, value] of all.entries()) {
      if (at < 200) continue;
      expect(tail.next()).toBeUndefined();
      await store.put(`key ${at}`, value);
      const read = tail.next();
      expect(read?.sequence).toBe(at + 1);
      expect(putIn(read?.bytes ?? value).equals(value)).toBe(true);
    }
    tail.close();
    for (const from of [1, 50, 51, 52, 200, 300])
      expect(Buffer.concat(readAll(log.path, from)).equals(Buffer.concat(all.slice(from - 1)))).toBe(true);
    expect([...summariseLog(log.path)]).toMatchObject([
      { batches: 300, firstSequence: 1, lastSequence: 300 },
    ]);
    await store.close();
  });

  it('is read from a place inside of a file, which says at its beginning how it is compressed', async () => {
    const all = values(100);
    const store = await writeStore(log.path, all);
    const fd = openSync(log.newest(), 'r');
    const offsets: number[] = [];
    const whole = new LogReader(fd, log.newest(), 4);
    while (whole.next() === 'record') offsets.push(whole.offset);
    expect(offsets).toHaveLength(100);
    for (const [at, offset] of offsets.entries()) {
      const reader = new LogReader(fd, log.newest(), 4, offset);
      expect(reader.next()).toBe('record');
      expect(putIn(reader.payload).equals(all[at])).toBe(true);
    }
    closeSync(fd);
    await store.close();
  });

  it('ends at its last whole record when it was cut', async () => {
    const store = await writeStore(log.path, values(60));
    const path = log.newest();
    const size = readFileSync(path).length;
    const cut = join(log.path, 'cut');
    mkdirSync(cut);
    for (const bytes of [1, 5, 20, 400, 90_000, 100_500]) {
      copyFileSync(path, join(cut, '000004.log'));
      truncateSync(join(cut, '000004.log'), size - bytes);
      const found = readAll(cut);
      expect(found.length).toBeGreaterThanOrEqual(50);
      expect(found.length).toBeLessThan(60);
      expect([...summariseLog(cut)][0].batches).toBe(found.length);
    }
    await store.close();
  });

  it('is refused with the place where a record is no frame, or one without bounds', () => {
    const path = join(log.path, '000001.log');
    const good = [frameOf(batch(1)), frameOf(batch(2))];
    writeFileSync(path, compressedLog(good));
    expect(readAll(log.path)).toHaveLength(2);
    // A few bytes for each 128 KiB, and more than 1 GiB of these.
    const bomb = Buffer.alloc(9 + 4 * 9_000);
    bomb.set(Buffer.from('28b52ffda0', 'hex'));
    bomb.writeUInt32LE(9_000 * 128 * 1024, 5);
    bomb.set(Buffer.of(0x03, 0, 0x10, 0), bomb.length - 4);
    for (let at = 9; at < bomb.length - 4; at += 4) bomb.set(Buffer.of(0x02, 0, 0x10, 0), at);
    for (const bad of [batch(3), frameOf(batch(3)).subarray(0, -1), bomb]) {
      const bytes = compressedLog([...good, bad, frameOf(batch(4))]);
      writeFileSync(path, bytes);
      const offset = compressedLog(good).length;
      const refusal = { code: 'WAL_CORRUPT', context: { file: path, offset } };
      expect(() => readAll(log.path)).toThrow(
        expect.objectContaining({ ...refusal, context: expect.objectContaining(refusal.context) }),
      );
      expect(() => [...summariseLog(log.path)]).toThrow(
        `offset ${offset}: a record that cannot be decompressed`,
      );
    }
    writeFileSync(path, compressedLog(good, 4));
    expect(() => readAll(log.path)).toThrow('compressed in a way that is not known: 4');
    writeFileSync(path, compressedLog([batch(1), batch(2)], 0));
    expect(readAll(log.path)).toHaveLength(2);
  });
});
