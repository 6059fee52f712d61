import { describe, expect, it } from 'vitest';
import type { Transaction } from '../../src/data-model/change.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import { ColumnFamily } from '../../src/data-model/encoding/column-family.js';
import {
  encodeInternalKey,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
} from '../../src/data-model/encoding/keys.js';
import { encodeMetadata, type Metadata } from '../../src/data-model/encoding/metadata.js';
import { cutRecords, KeyRecordsWriter } from '../../src/data-model/index.js';
import { appendRecordsOf } from '../../src/data-model/key-records/append-records.js';
import { appendRawRecords } from '../../src/data-model/raw-records.js';
import { RecordKind, WriteBatchBuilder, WriteBatchReader } from '../../src/write-batch/index.js';
import { CommandClient } from '../support/command-client.js';
import { MemoryStore } from '../support/memory-store.js';

const prefix = namespacePrefix('__namespace');
const key = Buffer.from('k');
const metadataKey = encodeMetadataKey(prefix, key);
const version = Buffer.from('0000000000000007', 'hex');
const noBytes = Buffer.alloc(0);

const metadataOf = (type: Metadata['type'], payload: Buffer = noBytes, size = 1): Buffer =>
  encodeMetadata({ type, expireMs: 0, version, size, payload });

const subKey = (name: string | Buffer): Buffer =>
  encodeInternalKey(encodeSubKeyPrefix(prefix, key, version), Buffer.from(name));

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

/** The metadata of a hash whose fields expire: mode 1, how many do not, the bounds of those that do. */
const expiringHash = (size: number, persistent: number): Buffer =>
  metadataOf('hash', Buffer.concat([Buffer.of(1), u64(persistent), u64(0), u64(0)]), size);

const field = (value: string, expireMs = 0): Buffer => Buffer.concat([u64(expireMs), Buffer.from(value)]);

type Build = (batch: WriteBatchBuilder) => void;

const batchOf = (build: Build, sequence = 1): Buffer => {
  const builder = new WriteBatchBuilder();
  build(builder);
  return Buffer.from(builder.finish(sequence));
};

/** `put f=v` for each change, `CODE reason` for each that there is not. */
const told = ({ changes, undecodable }: Transaction): string[] => [
  ...changes.map((change) =>
    change.op === 'put' && change.type === 'hash' ? `put ${change.field}=${change.value}` : change.op,
  ),
  ...undecodable.map(({ code, reason }) => `${code} ${reason}`),
];

const decodeAlone = (build: Build): string[] => told(new Decoder().decode(batchOf(build)));

const storeWith = (build: Build): MemoryStore => {
  const store = new MemoryStore();
  store.commit(batchOf(build));
  return store;
};

/** What a batch puts, in any order. */
const putsIn = (batch: Buffer): string[] => {
  const reader = new WriteBatchReader(batch);
  const found: string[] = [];
  while (reader.next())
    if (reader.kind === RecordKind.Put)
      found.push(
        [reader.columnFamily, reader.key().toString('hex'), reader.value().toString('hex')].join(' '),
      );
  return found.sort();
};

describe('a hash whose fields may expire each by itself', () => {
  it('is told without the expiry before its values', () => {
    expect(
      decodeAlone((batch) => {
        batch.logData(Buffer.from('2 13 1'));
        batch.put(ColumnFamily.subKeys, subKey('f'), field('v'));
        batch.put(ColumnFamily.metadata, metadataKey, expiringHash(1, 1));
      }),
    ).toEqual(['delete', 'put f=v']);
  });

  it('is known again by its LogData, and by what was seen of it, where no metadata comes', () => {
    const overwrite: Build = (batch) => {
      batch.logData(Buffer.from('2 13 1'));
      batch.put(ColumnFamily.subKeys, subKey('f'), field('w'));
    };
    expect(decodeAlone(overwrite)).toEqual(['put f=w']);
    const decoder = new Decoder();
    decoder.decode(
      batchOf((batch) => {
        batch.put(ColumnFamily.subKeys, subKey('f'), field('v'));
        batch.put(ColumnFamily.metadata, metadataKey, expiringHash(1, 1));
      }),
    );
    const next = batchOf((batch) => {
      batch.logData(Buffer.from('2'));
      batch.put(ColumnFamily.subKeys, subKey('f'), field('w'));
    }, 3);
    expect(told(decoder.decode(next))).toEqual(['put f=w']);
  });

  it('keeps a plain hash plain whose value looks like one, and one with mode 0', () => {
    const value = Buffer.concat([Buffer.alloc(8), Buffer.from('v')]);
    for (const [note, payload] of [
      ['2', noBytes],
      ['2 13 0', Buffer.of(0)],
    ] as const) {
      const { changes } = new Decoder().decode(
        batchOf((batch) => {
          batch.logData(Buffer.from(note));
          batch.put(ColumnFamily.subKeys, subKey('f'), value);
          batch.put(ColumnFamily.metadata, metadataKey, metadataOf('hash', payload));
        }),
      );
      expect(changes.at(-1)).toMatchObject({ op: 'put', type: 'hash', value });
    }
  });

  it.each([
    ['of which a field expires', expiringHash(1, 0), field('v', 4e12), 'expires by itself'],
    ['whose value is too short', expiringHash(1, 1), Buffer.from('v'), 'has no expiry'],
    ['in a mode that is not known', metadataOf('hash', Buffer.of(2)), Buffer.from('v'), 'not known'],
  ])('%s is reported, never told wrongly', (_, metadata, value, reason) => {
    expect(
      decodeAlone((batch) => {
        batch.put(ColumnFamily.subKeys, subKey('f'), value);
        batch.put(ColumnFamily.metadata, metadataKey, metadata);
      }),
    ).toEqual([expect.stringMatching(`^DECODE_UNSUPPORTED .*${reason}`)]);
  });

  it('is refused by the commands that would read its fields, and can be copied and deleted', () => {
    const client = new CommandClient();
    client.store.commit(
      batchOf((batch) => {
        batch.put(ColumnFamily.subKeys, subKey('f'), field('v', 4e12));
        batch.put(ColumnFamily.metadata, metadataKey, expiringHash(1, 0));
      }),
    );
    const run = (line: string): unknown => client.run(...line.split(' '));
    for (const line of ['HGET k f', 'HSET k f v', 'HLEN k', 'HGETALL k', 'HSCAN k 0', 'HDEL k f', 'DUMP k'])
      expect(run(line), line).toMatch(/^error ERR/);
    expect(run('TYPE k')).toBe('hash');
    expect(run('RENAME k l')).toBe('OK');
    expect(run('DEL l')).toBe(1);
  });
});

describe('what a newer Kvrocks may hold', () => {
  const withFlags = (flags: number): Buffer => {
    const value = metadataOf('hash');
    value[0] = flags;
    return value;
  };
  const unknowns: readonly (readonly [string, Build])[] = [
    [
      'a t-digest',
      (batch) => {
        batch.logData(Buffer.from('12'));
        batch.put(ColumnFamily.metadata, metadataKey, metadataOf('tdigest', Buffer.alloc(72)));
        batch.put(ColumnFamily.subKeys, subKey(Buffer.of(0)), noBytes);
      },
    ],
    [
      'a time series',
      (batch) => {
        batch.logData(Buffer.from('13'));
        batch.put(ColumnFamily.subKeys, subKey(Buffer.of(0, 1)), noBytes);
        batch.put(ColumnFamily.metadata, metadataKey, metadataOf('timeseries', Buffer.alloc(30)));
      },
    ],
    ['a type without a name yet', (batch) => batch.put(ColumnFamily.metadata, metadataKey, withFlags(0x8e))],
    [
      'its sub-keys before it',
      (batch) => {
        batch.logData(Buffer.from('14 add'));
        batch.put(ColumnFamily.subKeys, subKey('s'), noBytes);
        batch.put(ColumnFamily.metadata, metadataKey, withFlags(0x8e));
      },
    ],
    [
      'flags without a meaning yet',
      (batch) => batch.put(ColumnFamily.metadata, metadataKey, withFlags(0xc2)),
    ],
    ['a string with them', (batch) => batch.put(ColumnFamily.metadata, metadataKey, withFlags(0xc1))],
    [
      'a JSON document in CBOR',
      (batch) => batch.put(ColumnFamily.metadata, metadataKey, metadataOf('json', Buffer.of(1, 0xa0))),
    ],
    [
      'a HyperLogLog that is not dense',
      (batch) => batch.put(ColumnFamily.metadata, metadataKey, metadataOf('hyperloglog', Buffer.of(1))),
    ],
    ['an entry of a search index', (batch) => batch.put(ColumnFamily.search, Buffer.from('i'), noBytes)],
    ['a column family more', (batch) => batch.put(7, Buffer.from('i'), noBytes)],
  ];

  it.each(unknowns)('%s: is reported once, as unsupported', (_, build) => {
    expect(decodeAlone(build)).toEqual([expect.stringMatching(/^DECODE_UNSUPPORTED /)]);
  });

  const ofKeys = unknowns.filter(([name]) => !/search|column family/.test(name));

  it.each(ofKeys)('%s: is in a snapshot, as a key that cannot be told', (_, build) => {
    const records = new KeyRecordsWriter(64);
    expect(appendRecordsOf(storeWith(build), metadataKey, 0, records)).toBe(true);
    const failures = cutRecords(records.bytes, 1).flatMap(({ transaction }) => [...transaction.undecodable]);
    expect(failures).toEqual([expect.objectContaining({ code: 'DECODE_UNSUPPORTED', ns: 'default', key })]);
  });

  it.each(ofKeys)('%s: is copied with all its records to a store', (_, build) => {
    const copy = new WriteBatchBuilder();
    appendRawRecords(storeWith(build), noBytes, { maxBytes: 1e6, nowMs: 0 }, copy);
    expect(putsIn(Buffer.from(copy.finish(1)))).toEqual(putsIn(batchOf(build)));
  });
});

describe('what no Kvrocks writes', () => {
  const impossible: readonly (readonly [string, Build])[] = [
    [
      'an entry of a stream whose id is too short',
      (batch) => {
        batch.put(ColumnFamily.streams, subKey(Buffer.alloc(15)), Buffer.of(1, 102, 1, 118));
        batch.put(ColumnFamily.metadata, metadataKey, metadataOf('stream', Buffer.alloc(96)));
      },
    ],
    ...['-1', '1.5', '', '16', '1e1'].map((number): readonly [string, Build] => [
      `a segment "${number}" of a HyperLogLog`,
      (batch) => {
        batch.put(ColumnFamily.subKeys, subKey(number), Buffer.alloc(768));
        batch.put(ColumnFamily.metadata, metadataKey, metadataOf('hyperloglog', Buffer.of(0)));
      },
    ]),
  ];

  it.each(impossible)('%s: is reported, as unsupported', (_, build) => {
    expect(decodeAlone(build)).toEqual([expect.stringMatching(/^DECODE_UNSUPPORTED /)]);
  });
});
