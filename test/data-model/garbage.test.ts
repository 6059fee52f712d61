import { describe, expect, it } from 'vitest';
import { CommandContext, commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { readInternalKey } from '../../src/data-model/encoding/keys.js';
import { garbageOfExpiry, garbageOfSubKeys } from '../../src/data-model/garbage.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { MemoryStore } from '../support/memory-store.js';

const nowMs = 1_700_000_000_000;

const storeAfter = (...commands: readonly string[]): MemoryStore => {
  const store = new MemoryStore();
  const services = commandServices(() => nowMs);
  for (const line of commands) {
    const args = line.split(' ').map((word) => Buffer.from(word));
    const context = new CommandContext(store, services);
    dataCommands.get(String(args[0]).toLowerCase())?.run(context, args);
    store.commit(context.batch.finish());
  }
  return store;
};

/** Column family and user key of each incarnation, with its elements. */
const garbageOf = (store: MemoryStore, atMs = nowMs): string[] =>
  [...garbageOfSubKeys(store, () => atMs)].flat().map(({ columnFamily, begin, end }) => {
    const elements = [...store.iterate({ columnFamily, begin, end })].map(({ key }) =>
      readInternalKey(key)?.subKey.subarray(-1).toString('latin1'),
    );
    return `${columnFamily} ${readInternalKey(begin)?.userKey} ${elements.join(' ')}`;
  });

describe('garbage', () => {
  it('is none while every sub-key belongs to a living key', () => {
    expect(garbageOf(storeAfter('HSET h a 1', 'ZADD z 1 a', 'XADD x 1-1 f v', 'SADD s a'))).toEqual([]);
  });

  it('is what a deleted key leaves behind, in every column family', () => {
    const store = storeAfter('HSET h a 1', 'HSET other a 1', 'ZADD z 1 a', 'DEL h z');
    expect(garbageOf(store)).toEqual(['0 h a', '0 z a', '2 z a']);
  });

  it('is the older incarnation of a key that was made anew', () => {
    expect(garbageOf(storeAfter('HSET h a 1', 'DEL h', 'HSET h b 1'))).toEqual(['0 h a']);
  });

  it('is what an overwriting string leaves behind', () => {
    expect(garbageOf(storeAfter('SADD s a b', 'SET s text'))).toEqual(['0 s a b']);
  });

  it('is what belongs to an expired key, once it has expired', () => {
    const store = storeAfter('HSET h a 1', 'EXPIRE h 10');
    expect(garbageOf(store, nowMs + 10_000)).toEqual([]);
    expect(garbageOf(store, nowMs + 10_001)).toEqual(['0 h a']);
  });

  it('spares what belongs to a key that it cannot read', () => {
    const store = storeAfter('SADD s a');
    const batch = new WriteBatchBuilder();
    for (const { key } of [...store.iterate({ columnFamily: 1 })]) batch.put(1, key, Buffer.of(0xff, 1));
    store.commit(batch.finish());
    expect(garbageOf(store)).toEqual([]);
  });

  it('is the metadata of keys that have expired', () => {
    const store = storeAfter('SET s v', 'SET t v', 'EXPIRE t 10', 'HSET h a 1', 'EXPIRE h 20');
    const expiredAt = (atMs: number): string[] =>
      [...garbageOfExpiry(store, () => atMs)].flat().map(({ begin }) => begin.subarray(-1).toString());
    expect(expiredAt(nowMs + 10_000)).toEqual([]);
    expect(expiredAt(nowMs + 10_001)).toEqual(['t']);
    expect(expiredAt(nowMs + 20_001)).toEqual(['h', 't']);
  });
});
