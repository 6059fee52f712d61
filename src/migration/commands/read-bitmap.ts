import { type Change, reverseBits } from '../../data-model/index.js';
import { type Reply, ReplyError } from '../../resp/index.js';
import { tooLarge } from '../record-part.js';
import {
  type ByteBudget,
  type Command,
  failed,
  type KeyFacts,
  type ReadLimits,
  type ValueReading,
} from './reading.js';

/**
 * A bitmap: its bytes where they are not zero, and its length. GET tells all of a bitmap at once, up to the size that a
 * Kvrocks is set to (`max-bitmap-to-string-mb`); a larger one is read in windows, from each bit that BITPOS finds.
 */
export function* readBitmap(facts: KeyFacts, { budget }: ReadLimits): ValueReading {
  const [value] = yield [['GET', facts.key]];
  if (value instanceof ReplyError)
    return failed(value) === undefined ? undefined : yield* readLarge(facts, budget);
  if (!(value instanceof Buffer)) return undefined;
  const pieces = piecesOf(value, 0);
  return takeAll(budget, pieces) ? putsOf(facts, pieces, value.length) : tooLarge;
}

/** Bytes of which the first and the last fragment are not all zero. */
interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

function* readLarge(facts: KeyFacts, budget: ByteBudget): ValueReading {
  const { key } = facts;
  const length = yield* findLength(key);
  if (length === undefined) return undefined;
  const nextBit = (from: number): Command => ['BITPOS', key, 1, from, Math.min(from + spanBytes, length) - 1];
  const pieces: Piece[] = [];
  let windows = 1;
  for (let from = 0, found: Reply | undefined; from < length; ) {
    found ??= (yield [nextBit(from)])[0];
    if (found instanceof ReplyError) return failed(found);
    if (typeof found !== 'number') return undefined;
    const isNone = found < 0;
    const start = isNone ? from + spanBytes : Math.floor(found / 8 / windowBytes) * windowBytes;
    // Where bits follow at once, more is asked for at a time.
    windows = start === from ? Math.min(windows * 2, maxWindows) : 1;
    found = undefined;
    from = start;
    if (isNone) continue;
    const asked: Command[] = [];
    for (; from < length && asked.length < windows; from += windowBytes) asked.push(askWindow(key, from));
    const replies: readonly Reply[] = yield from < length ? [...asked, nextBit(from)] : asked;
    const read = replies.slice(0, asked.length).flatMap((reply) => bytesOfWindow(reply) ?? []);
    if (read.length < asked.length) return undefined;
    const more = piecesOf(Buffer.concat(read), start);
    if (!takeAll(budget, more)) return tooLarge;
    pieces.push(...more);
    found = replies[asked.length];
  }
  return putsOf(facts, pieces, length);
}

/** The length of a bitmap: BITPOS without an end finds something from each of its bytes on, and nothing behind them. */
function* findLength(key: Buffer): Generator<readonly Command[], number | undefined, readonly Reply[]> {
  let low = 0; // the bitmap is at least as long
  let high = largestBytes; // and at most
  while (low < high) {
    const step = Math.ceil((high - low) / probes);
    const places: number[] = [];
    for (let place = low; place < high; place += step) places.push(place);
    const replies = yield places.map((place): Command => ['BITPOS', key, 0, place]);
    const inside = replies.filter((reply) => typeof reply === 'number' && reply >= 0).length;
    if (replies.some((reply) => reply instanceof ReplyError)) return undefined;
    if (inside === 0) return low;
    high = Math.min(high, places[inside] ?? high);
    low = places[inside - 1] + 1;
  }
  return low;
}

/** The fragments that are not all zero, those that follow each other as one, up to a size. */
const piecesOf = (bytes: Buffer, offset: number): Piece[] => {
  const pieces: Piece[] = [];
  for (let from = 0; from < bytes.length; from += fragmentBytes) {
    if (isZero(bytes, from)) continue;
    let to = from + fragmentBytes;
    while (to < bytes.length && to - from < pieceBytes && !isZero(bytes, to)) to += fragmentBytes;
    let end = Math.min(to, bytes.length);
    while (bytes[end - 1] === 0) end--;
    pieces.push({ offset: offset + from, bytes: bytes.subarray(from, end) });
    from = to - fragmentBytes;
  }
  return pieces;
};

const isZero = (bytes: Buffer, from: number): boolean => {
  const to = Math.min(from + fragmentBytes, bytes.length);
  return zeros.compare(bytes, from, to, 0, to - from) === 0;
};

const putsOf = (
  { seq, index, ns, key }: KeyFacts,
  pieces: readonly Piece[],
  length: number,
): readonly Change[] => {
  const end = endOf(pieces);
  const all = pieces.length === 0 ? [{ offset: 0, bytes: noBytes }] : pieces;
  return all.map(({ offset, bytes }, at) => ({
    seq,
    index,
    ns,
    key,
    op: 'put',
    type: 'bitmap',
    offset,
    value: bytes,
    size: at === all.length - 1 && end < length ? length : undefined,
  }));
};

const endOf = (pieces: readonly Piece[]): number => {
  const last = pieces.at(-1);
  return last === undefined ? 0 : last.offset + last.bytes.length;
};

const takeAll = (budget: ByteBudget, pieces: readonly Piece[]): boolean =>
  budget.takeAll(pieces.map(({ bytes }) => bytes));

/** Fields lie in the bytes as they are stored: with the bits of each turned round. */
const askWindow = (key: Buffer, offset: number): Command => {
  const words: (string | Buffer | number)[] = ['BITFIELD_RO', key];
  for (let at = 0; at < windowBytes; at += wordBytes) words.push('GET', 'i64', (offset + at) * 8);
  return words;
};

const bytesOfWindow = (reply: Reply): Buffer | undefined => {
  if (!Array.isArray(reply) || reply.length !== windowBytes / wordBytes) return undefined;
  const stored = Buffer.alloc(windowBytes);
  reply.forEach((word, at) => {
    if (word !== 0) stored.writeBigInt64BE(BigInt(String(word)), at * wordBytes);
  });
  return reverseBits(stored);
};

/** As a Kvrocks stores it. */
const fragmentBytes = 1024;
/** What is written by one command at the most. */
const pieceBytes = 64 * 1024;
const wordBytes = 8;
const windowBytes = 8 * 1024;
const maxWindows = 8;
/** What one BITPOS looks through: a server answers others in between. */
const spanBytes = 16 * 1024 * 1024;
/** Bits are numbered by 32 bits. */
const largestBytes = 512 * 1024 * 1024;
/** Places that are looked at by one round trip. */
const probes = 64;
const zeros = Buffer.alloc(fragmentBytes);
const noBytes = Buffer.alloc(0);
