import type { Change } from '../../data-model/index.js';
import { ReplyError } from '../../resp/index.js';
import { goneImage, unsupportedImage, wholeImage } from '../key-image.js';
import { type KeyPlace, keyAt } from '../key-place.js';
import { tooLarge } from '../record-part.js';
import { readBitmap } from './read-bitmap.js';
import { readStream } from './read-stream.js';
import {
  ByteBudget,
  buffersOf,
  type Command,
  failed,
  type KeyFacts,
  type KeyReading,
  largestCount,
  type ReadLimits,
  readExpiryTime,
  type ValueReading,
} from './reading.js';

/**
 * @param pageElements of a collection that are asked for at once; Infinity = all
 * @param largestBytes a key of which more was read is given up, as unsupported
 */
export function* readKey(
  place: KeyPlace,
  pageElements: number,
  largestBytes: number = Number.POSITIVE_INFINITY,
): KeyReading {
  const { ns, key } = keyAt(place);
  const [type, expiry] = yield [
    ['TYPE', key],
    ['PEXPIRETIME', key],
  ];
  if (type instanceof ReplyError) return unsupportedImage(place, type.message);
  let ttlAt = readExpiryTime(expiry);
  if (expiry instanceof ReplyError) {
    // Before PEXPIRETIME came, the time left was all that could be asked for.
    const [left] = yield [['PTTL', key]];
    ttlAt = typeof left === 'number' && left >= 0 ? Date.now() + left : undefined;
  }
  if (type === 'none' || ttlAt === -2) return goneImage(place);
  const facts: KeyFacts = { seq: 0, index: 0, ns, key };
  const budget = new ByteBudget(largestBytes);
  const value = yield* readValue(facts, String(type), ttlAt, { pageElements, budget });
  if (value === undefined) return undefined;
  if (typeof value === 'string') return unsupportedImage(place, value);
  return wholeImage(place, value);
}

function* readValue(
  facts: KeyFacts,
  type: string,
  ttlAt: number | undefined,
  limits: ReadLimits,
): ValueReading {
  if (type === 'string' || type === 'ReJSON-RL') return yield* readWhole(facts, type, ttlAt, limits);
  const value = yield* readElements(facts, type, limits);
  if (!Array.isArray(value)) return value;
  const { seq, index, ns, key } = facts;
  const changes: Change[] = [{ seq, index, ns, key, op: 'delete', type: 'key' }, ...value];
  const keyType = typeByName[type] ?? 'hash';
  if (ttlAt !== undefined)
    changes.push({ seq, index, ns, key, op: 'expire', type: keyType, ttlAt, value: undefined });
  return changes;
}

function* readWhole(
  { seq, index, ns, key }: KeyFacts,
  type: string,
  ttlAt: number | undefined,
  { budget }: ReadLimits,
): ValueReading {
  if (budget.isLimited && type === 'string') {
    const [length] = yield [['STRLEN', key]];
    if (typeof length === 'number' && !budget.take(length)) return tooLarge;
  }
  const [value] = yield [[type === 'string' ? 'GET' : 'JSON.GET', key]];
  if (value instanceof ReplyError) return failed(value);
  if (!(value instanceof Buffer)) return undefined;
  const keyType = type === 'string' ? 'string' : 'json';
  return [{ seq, index, ns, key, op: 'put', type: keyType, value, ttlAt }];
}

/** Hot: a spread for each element would take longer than all the rest; measured by bench `migrate`. */
function* readElements(facts: KeyFacts, type: string, limits: ReadLimits): ValueReading {
  const { seq, index, ns, key } = facts;
  switch (type) {
    case 'hash':
      return yield* readScanned(facts, 'HSCAN', limits, (items) =>
        pairs(items).map(([field, value]) => ({
          seq,
          index,
          ns,
          key,
          op: 'put',
          type: 'hash',
          field,
          value,
        })),
      );
    case 'set':
      return yield* readScanned(facts, 'SSCAN', limits, (items) =>
        items.map((member) => ({ seq, index, ns, key, op: 'put', type: 'set', member })),
      );
    case 'zset':
      return yield* readRanges(
        limits,
        (from, to) => ['ZRANGE', key, from, to, 'WITHSCORES'],
        2,
        (items) =>
          pairs(items).map(([member, score]) => ({
            seq,
            index,
            ns,
            key,
            op: 'put',
            type: 'zset',
            member,
            score: readScore(score),
          })),
      );
    case 'list':
      return yield* readRanges(
        limits,
        (from, to) => ['LRANGE', key, from, to],
        1,
        (items) =>
          items.map((value) => ({ seq, index, ns, key, op: 'push', type: 'list', side: 'tail', value })),
      );
    case 'sortedint':
      return yield* readRanges(
        limits,
        (from, to) => ['SIRANGE', key, from, to < 0 ? largestCount : to - from + 1],
        1,
        (items) =>
          items.map((id) => ({ seq, index, ns, key, op: 'put', type: 'sortedint', id: BigInt(String(id)) })),
      );
    case 'bitmap':
      return yield* readBitmap(facts, limits);
    case 'stream':
      return yield* readStream(facts, limits);
    default:
      return `a ${type} cannot be read over the network`;
  }
}

/** HSCAN and SSCAN. */
function* readScanned(
  { key }: KeyFacts,
  command: string,
  { pageElements, budget }: ReadLimits,
  tell: (items: readonly Buffer[]) => readonly Change[],
): ValueReading {
  const changes: Change[] = [];
  const count = Math.min(pageElements, largestCount);
  let cursor = '0';
  do {
    const [reply] = yield [[command, key, cursor, 'COUNT', count]];
    if (reply instanceof ReplyError) return failed(reply);
    const [next, items] = Array.isArray(reply) ? reply : [];
    if (!Array.isArray(items)) return undefined;
    const read = buffersOf(items);
    if (!budget.takeAll(read)) return tooLarge;
    for (const change of tell(read)) changes.push(change);
    cursor = String(next);
  } while (cursor !== '0');
  return changes.length === 0 ? undefined : changes;
}

/** Elements by their rank: pages until one is not full. */
function* readRanges(
  { pageElements, budget }: ReadLimits,
  ask: (from: number, to: number) => Command,
  wordsPerElement: number,
  tell: (items: readonly Buffer[]) => readonly Change[],
): ValueReading {
  const changes: Change[] = [];
  const isUnlimited = pageElements >= largestCount;
  for (let from = 0; ; from += pageElements) {
    const [reply] = yield [ask(from, isUnlimited ? -1 : from + pageElements - 1)];
    if (reply instanceof ReplyError) return failed(reply);
    if (!Array.isArray(reply)) return undefined;
    const read = buffersOf(reply);
    if (!budget.takeAll(read)) return tooLarge;
    for (const change of tell(read)) changes.push(change);
    if (isUnlimited || reply.length < pageElements * wordsPerElement) break;
  }
  return changes.length === 0 ? undefined : changes;
}

const pairs = (items: readonly Buffer[]): [Buffer, Buffer][] =>
  Array.from({ length: items.length / 2 }, (_, at) => [items[2 * at], items[2 * at + 1]]);

const readScore = (text: Buffer): number => Number(text.toString('latin1').replace('inf', 'Infinity'));

const typeByName: Readonly<Record<string, Extract<Change, { op: 'expire' }>['type']>> = {
  hash: 'hash',
  list: 'list',
  set: 'set',
  zset: 'zset',
  bitmap: 'bitmap',
  sortedint: 'sortedint',
  stream: 'stream',
};
