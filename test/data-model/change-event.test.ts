import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Change, Transaction } from '../../src/data-model/change.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import { EventEncoder } from '../../src/data-model/event/event-encoder.js';
import { parseEvent } from '../../src/data-model/event/event-parser.js';
import { ByteWriter } from '../../src/resp/index.js';
import { faultOfEvent } from '../support/change-event-schema.js';
import { SeededRandom } from '../support/seeded-random.js';
import { readHistoryBatches } from './captured-history.js';

const source = { connector: 'kvrocks', name: 'orders "eu"\n' };

const vectorBatches = (name: string): Buffer[] =>
  readFileSync(new URL(`../fixtures/kvrocks/${name}.jsonl`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => (JSON.parse(line) as { batches?: string[] }).batches ?? [])
    .map((hex) => Buffer.from(hex, 'hex'));

const batches = [
  ...vectorBatches('vectors'),
  ...vectorBatches('vectors-namespaces'),
  ...readHistoryBatches(),
];

const transactionOf = (changes: readonly Change[]): Transaction => ({
  ...{ first: 7, last: 9, count: 3, bytes: Buffer.alloc(0) },
  ...{ changes, undecodable: [] },
});

/** Byte strings as latin1 text and big integers as text, so that changes can be compared whatever holds them. */
const plain = (change: Change): unknown =>
  JSON.parse(
    JSON.stringify(change, (_, value: unknown) => {
      if (typeof value === 'bigint') return String(value);
      if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
      return value;
    }),
    (_, value: unknown) =>
      typeof value === 'object' && value !== null && 'data' in value
        ? Buffer.from(value.data as number[]).toString('latin1')
        : value,
  );

describe('change events, version 1', () => {
  it('are valid by the published schema for every captured batch, and read back as the same changes', () => {
    const decoder = new Decoder();
    const encoder = new EventEncoder(source);
    const kinds = new Set<string>();
    for (const batch of batches) {
      const transaction = decoder.decode(batch);
      const out = new ByteWriter();
      expect(encoder.append(out, transaction)).toBe(transaction.changes.length);
      const lines = out.take().toString().split('\n');
      expect(lines.pop()).toBe('');
      expect(lines.length).toBe(transaction.changes.length);
      for (const [at, line] of lines.entries()) {
        const change = transaction.changes[at];
        kinds.add(`${change.op} ${change.type}`);
        expect(faultOfEvent(line)).toBe(undefined);
        const parsed = parseEvent(line);
        expect(parsed.source).toEqual(source);
        expect(parsed.tx).toEqual({ first: transaction.first, last: transaction.last, size: lines.length });
        if (change.op === 'streamMeta')
          expect(line).toContain(JSON.stringify(change.command.map(String)).slice(1, -1));
        else expect(plain(parsed.change)).toEqual(plain(change));
        expect(encoder.encode(transaction, change).toString()).toBe(line);
      }
    }
    expect([...kinds].sort()).toMatchInlineSnapshot(`
      [
        "clear all",
        "clear namespace",
        "delete hash",
        "delete key",
        "delete set",
        "delete sortedint",
        "delete stream",
        "delete zset",
        "expire bitmap",
        "expire hash",
        "expire json",
        "expire list",
        "expire set",
        "expire stream",
        "expire string",
        "expire zset",
        "persist bitmap",
        "persist hash",
        "persist json",
        "persist list",
        "persist set",
        "persist stream",
        "persist string",
        "persist zset",
        "pop list",
        "propagate script",
        "publish pubsub",
        "push list",
        "put bitmap",
        "put hash",
        "put hyperloglog",
        "put json",
        "put list",
        "put set",
        "put sortedint",
        "put stream",
        "put string",
        "put zset",
        "streamMeta stream",
      ]
    `);
  });

  it('hold any bytes: text where they are UTF-8, base64 where not, and give them back', () => {
    const random = SeededRandom.fromEnvironment('event bytes');
    const encoder = new EventEncoder(source);
    const alphabet = ['a', 'é', '☃', '😀', '"', '\\', '\n', '\0', '\x7f', '\u2028', '<', ' '];
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: random.below(80) }, () => random.pick(alphabet)).join('');
      const value = random.below(3) === 0 ? random.bytes(random.below(90)) : Buffer.from(text);
      const key = random.bytes(random.below(5));
      const change: Change = {
        seq: 7,
        index: 0,
        ns: 'default',
        key,
        op: 'put',
        type: 'string',
        value,
        ttlAt: undefined,
      };
      const line = encoder.encode(transactionOf([change]), change).toString();
      expect(faultOfEvent(line)).toBe(undefined);
      const parsed = parseEvent(line).change;
      expect(plain(parsed)).toEqual(plain(change));
      const isText = Buffer.from(value.toString()).equals(value);
      expect(JSON.parse(line).value).toEqual(
        isText ? value.toString() : { base64: value.toString('base64') },
      );
    }
  });

  it('hold values whose base64 would be no string any more', () => {
    const bytes = 400 * 1024 * 1024;
    const common = { seq: 1, index: 0, ns: 'default', key: Buffer.from('k') };
    const value = Buffer.alloc(bytes + 1, 0xfe);
    const change: Change = { ...common, op: 'put', type: 'string', value, ttlAt: undefined };
    const line = new EventEncoder(source).encode(transactionOf([change]), change);
    const start = line.indexOf('"base64":"') + 10;
    expect(line.toString('latin1', start, start + 8)).toBe('/v7+/v7+');
    expect(line.indexOf('"', start) - start).toBe(4 * Math.ceil((bytes + 1) / 3));
    expect(line.subarray(-11).toString()).toBe('/v7+/v4="}}');
  });

  it.each([
    [0, '0'],
    [-0, '-0'],
    [1e-300, '1e-300'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Number.POSITIVE_INFINITY, '"inf"'],
    [Number.NEGATIVE_INFINITY, '"-inf"'],
  ])('write the score %s as %s and read it back exactly', (score, json) => {
    const common = { seq: 2 ** 53 - 1, index: 0, ns: 'default', key: Buffer.from('z') };
    const change: Change = { ...common, op: 'put', type: 'zset', member: Buffer.from('m'), score };
    const line = new EventEncoder(source).encode(transactionOf([change]), change).toString();
    expect(faultOfEvent(line)).toBe(undefined);
    expect(line).toContain(`"score":${json}}`);
    const parsed = parseEvent(line).change;
    expect(Object.is('score' in parsed ? parsed.score : undefined, score)).toBe(true);
    expect(parsed.seq).toBe(2 ** 53 - 1);
  });

  it.each([
    ['', 'it is no JSON'],
    ['{"v":1', 'it is no JSON'],
    ['[]', 'it is no JSON object'],
    ['{"v":2}', 'its version is not 1'],
    ['{"v":1,"source":5}', '"source" of the event is not an object'],
    [
      '{"v":1,"source":{"connector":"a","name":"b"},"tx":{"first":1,"last":1}}',
      '"size" of "tx" is not a whole number',
    ],
    [eventWith({ op: 'leap', type: 'hash' }), 'op "leap" of type "hash" is not known'],
    [eventWith({ op: 'put', type: 'tree' }), 'op "put" of type "tree" is not known'],
    [eventWith({ op: 'put', type: 'set', member: 5 }), '"member" is neither a string nor {"base64": …}'],
    [eventWith({ op: 'put', type: 'sortedint', id: '-1' }), '"id" of the event is not a number as text'],
  ])('refuse %s and say why', (line, reason) => {
    expect(() => parseEvent(line)).toThrow(
      expect.objectContaining({ code: 'EVENT_INVALID', context: { reason } }),
    );
  });

  it('are told apart from other JSON by the schema', () => {
    expect(faultOfEvent(eventWith({ op: 'put', type: 'set', member: 'm' }))).toBe(undefined);
    expect(faultOfEvent(eventWith({ op: 'put', type: 'set' }))).toContain('member');
    expect(faultOfEvent(eventWith({ op: 'put', type: 'set', member: 'm', more: 1 }))).toContain(
      'unevaluated',
    );
  });
});

function eventWith(fields: object): string {
  const tx = { first: 1, last: 1, size: 1 };
  const head = { v: 1, source: { connector: 'a', name: 'b' }, seq: 1, index: 0, tx, ns: 'default', key: 'k' };
  return JSON.stringify({ ...head, ...fields });
}
