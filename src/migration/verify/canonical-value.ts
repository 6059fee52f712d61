import { createHash } from 'node:crypto';
import type { Change } from '../../data-model/index.js';
import type { KeyImage } from '../key-image.js';

/**
 * What a key holds, in a form in which a store of Kvrocks' types and a Redis that was filled from it agree: bitmaps and JSON
 * are strings, sorted ints are sorted sets, elements without an order are sorted.
 */
export interface CanonicalValue {
  readonly kind: 'none' | 'string' | 'hash' | 'list' | 'set' | 'zset' | 'stream' | 'hyperloglog';
  /** Equal texts, equal values: of a large one a digest stands here, so that it can be held while others are read. */
  readonly text: string;
  /** ms since the epoch; undefined = does not expire. */
  readonly ttlAt: number | undefined;
}

/** The canonical value of a key that was read. Hot for hashes, sets and lists; measured by bench `migrate`. */
export const canonicalValue = ({ changes }: KeyImage): CanonicalValue => {
  let ttlAt: number | undefined;
  let first: ElementPut | undefined;
  let isStream = false;
  for (const change of changes) {
    if (change.op === 'expire') ttlAt = change.ttlAt;
    else if (change.op === 'put' || change.op === 'push') first ??= change;
    else if (change.op === 'streamMeta') isStream = true;
  }
  if (isStream || first?.type === 'stream') return { kind: 'stream', text: streamText(changes), ttlAt };
  if (first === undefined) return absent;
  switch (first.type) {
    case 'string':
    case 'json':
      return stringValue(Buffer.from(first.value), first.ttlAt);
    case 'bitmap':
      return bitmapValue(changes, ttlAt);
    case 'hyperloglog':
      return { kind: 'hyperloglog', text: registersOf(changes), ttlAt };
    case 'list':
      return { kind: 'list', text: shortened(elementsOf(changes)), ttlAt };
    case 'sortedint':
    case 'zset':
      return { kind: 'zset', text: shortened(elementsOf(changes).sort()), ttlAt };
    default:
      return { kind: first.type, text: shortened(elementsOf(changes).sort()), ttlAt };
  }
};

type ElementPut = Extract<Change, { op: 'put' | 'push' }>;

const elementsOf = (changes: readonly Change[]): string[] => {
  const elements: string[] = [];
  for (const change of changes)
    if (change.op === 'put' || change.op === 'push') elements.push(elementText(change));
  return elements;
};

/** The texts in one; of many bytes their digest. */
const shortened = (texts: readonly string[]): string => {
  let length = 0;
  for (const text of texts) length += text.length;
  if (length <= largestJoined) return texts.join('');
  const hash = createHash('sha256');
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length < hashedAtOnce) continue;
    hash.update(piece, 'latin1');
    piece = '';
  }
  return `${texts.length} elements of ${length} bytes: ${hash.update(piece, 'latin1').digest('hex')}`;
};

const largestJoined = 16 * 1024;
const hashedAtOnce = 16 * 1024;

/** How two values differ; undefined when they don't. */
export const differenceOf = (
  source: CanonicalValue,
  target: CanonicalValue,
  ttlToleranceMs: number,
): 'missing' | 'extra' | 'type' | 'value' | 'expiry' | undefined => {
  if (source.kind === 'none') return target.kind === 'none' ? undefined : 'extra';
  if (target.kind === 'none') return 'missing';
  if (source.kind !== target.kind) return 'type';
  if (source.text !== target.text && !isSameJson(source, target)) return 'value';
  return isSameExpiry(source.ttlAt, target.ttlAt, ttlToleranceMs) ? undefined : 'expiry';
};

export const isSameExpiry = (a: number | undefined, b: number | undefined, toleranceMs: number): boolean =>
  a === b || (a !== undefined && b !== undefined && Math.abs(a - b) <= toleranceMs);

const absent: CanonicalValue = { kind: 'none', text: '', ttlAt: undefined };

/** A HyperLogLog is a string to Redis. */
const stringValue = (value: Buffer, ttlAt: number | undefined): CanonicalValue => {
  const isDense = value.length === hyperLogLogBytes && value[4] === 0 && value.subarray(0, 4).equals(magic);
  if (isDense)
    return { kind: 'hyperloglog', text: value.toString('latin1', hyperLogLogBytes - registerBytes), ttlAt };
  const isLarge = value.length > largestText && value[0] !== openBrace && value[0] !== openBracket;
  const text = isLarge ? digestOf([{ offset: 0, bytes: value }], value.length) : value.toString('latin1');
  return { kind: 'string', text, ttlAt };
};

/** Beyond it a digest stands for the bytes, except of what may be JSON: that may be spelled in another way. */
const largestText = 1024 * 1024;
const openBrace = 0x7b;
const openBracket = 0x5b;

const magic = Buffer.from('HYLL');
const registerBytes = 12_288;
const hyperLogLogBytes = 16 + registerBytes;

const registersOf = (puts: readonly Change[]): string => {
  const registers = Buffer.alloc(registerBytes);
  for (const put of puts)
    if (put.op === 'put' && put.type === 'hyperloglog')
      registers.set(put.value, put.segment * put.value.length);
  return registers.toString('latin1');
};

const bitmapValue = (puts: readonly Change[], ttlAt: number | undefined): CanonicalValue => {
  let length = 0;
  const pieces: Piece[] = [];
  for (const put of puts) {
    if (put.op !== 'put' || put.type !== 'bitmap') continue;
    length = Math.max(length, put.offset + put.value.length, put.size ?? 0);
    pieces.push({ offset: put.offset, bytes: put.value });
  }
  pieces.sort((a, b) => a.offset - b.offset); // a store has their offsets in the order of texts: 10240 before 2048
  const [first] = pieces;
  const begin = first?.offset === 0 ? first.bytes[0] : 0;
  // Of a large one most is not there: it must not take half a GiB to compare it.
  if (length > largestText && begin !== openBrace && begin !== openBracket)
    return { kind: 'string', text: digestOf(pieces, length), ttlAt };
  const bytes = Buffer.alloc(length);
  for (const piece of pieces) bytes.set(piece.bytes, piece.offset);
  return stringValue(bytes, ttlAt);
};

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Of the fragments that are not all zero: the same whether they come one by one or in one piece, which begins with one. */
const digestOf = (pieces: readonly Piece[], length: number): string => {
  const hash = createHash('sha256');
  for (const { offset, bytes } of pieces)
    for (let at = 0; at < bytes.length; at += fragmentBytes) {
      let end = Math.min(at + fragmentBytes, bytes.length);
      while (end > at && bytes[end - 1] === 0) end--;
      if (end === at) continue;
      hash.update(`${offset + at}:${end - at}:`);
      hash.update(bytes.subarray(at, end));
    }
  return `${length} bytes: ${hash.digest('hex')}`;
};

const fragmentBytes = 1024;

/** An element with its lengths, so that no two different lists of elements give the same text. */
const elementText = (change: Change): string => {
  if (change.op === 'push') return framed(change.value);
  if (change.op !== 'put') return '';
  switch (change.type) {
    case 'hash':
      return framed(change.field) + framed(change.value);
    case 'set':
      return framed(change.member);
    case 'zset':
      return framed(change.member) + String(change.score + 0); // −0 is 0
    case 'sortedint':
      return framed(Buffer.from(String(change.id))) + String(change.id);
    default:
      return '';
  }
};

const framed = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return `${text.length}:${text}`;
};

/**
 * Entries, last id, groups, consumers and pending entries. Left out are times and counts of deliveries, which no command
 * can copy exactly, and pending entries whose entry is deleted, which none can make.
 */
const streamText = (changes: readonly Change[]): string => {
  const entries: string[] = [];
  const ids = new Set<string>();
  const groups: string[] = [];
  let lastId = '0-0';
  for (const change of changes) {
    if (change.op === 'put' && change.type === 'stream') {
      ids.add(change.id);
      lastId = change.id;
      entries.push(`${change.id}=${change.fields.map(framed).join('')}`);
    } else if (change.op === 'streamMeta') {
      const words = change.command.map((word) =>
        typeof word === 'string' ? word : Buffer.from(word).toString('latin1'),
      );
      const [name, second, third, fourth] = words;
      if (name === 'XSETID') lastId = String(third);
      else if (name === 'XGROUP' && second === 'CREATE') groups.push(`group ${fourth} ${words[4]}`);
      else if (name === 'XGROUP' && second === 'CREATECONSUMER')
        groups.push(`consumer ${fourth} ${words[4]}`);
      else if (name === 'XGROUP' && second === 'DESTROY')
        groups.splice(groups.indexOf(`group ${fourth} 0`), 1);
      else if (name === 'XCLAIM' && ids.has(words[5])) groups.push(`pending ${third} ${fourth} ${words[5]}`);
    }
  }
  return JSON.stringify([shortened(entries), lastId, groups.sort()]);
};

/** JSON that was read by a command may be spelled in another way than it is stored. */
const isSameJson = (a: CanonicalValue, b: CanonicalValue): boolean => {
  if (a.kind !== 'string' || !/^[[{]/.test(a.text) || !/^[[{]/.test(b.text)) return false;
  try {
    return JSON.stringify(JSON.parse(a.text)) === JSON.stringify(JSON.parse(b.text));
  } catch {
    return false;
  }
};
