import { readOrderedDouble } from '../../bytes/index.js';
import type { Transaction } from '../change.js';
import { Decoder } from '../decode/decoder.js';
import { fieldLayoutOf } from '../encoding/hash-encoding.js';
import { defaultNamespace } from '../encoding/keys.js';
import { listPositionBytes, readListEnds, readListPosition } from '../encoding/list-encoding.js';
import { complexHeaderBytes, currentLayout, isStringAt } from '../encoding/metadata.js';
import { TypeNumber } from '../encoding/type-number.js';
import { keyRecordsBatch } from './key-records-batch.js';
import { KeyRecordsReader } from './key-records-reader.js';
import { WholeKeys } from './whole-keys.js';

/** Keys that follow each other on a page and go the same way. */
export interface RecordsRun {
  readonly ns: string;
  readonly keys: number;
  readonly byteLength: number;
  readonly isStrings: boolean;
  readonly transaction: Transaction;
}

/**
 * Cuts a page of KeyRecordsWriter into runs of one namespace each: those of keys whose records say it all by themselves as
 * `WholeKeys`, the others decoded. Looks at every record, so that whoever copies from the page need not.
 * @throws TailraceError `BATCH_CORRUPT`
 */
export const cutRecords = (page: Buffer, sequence: number): readonly RecordsRun[] => {
  const runs: RecordsRun[] = [];
  const reader = new KeyRecordsReader(page);
  let ns = '';
  let start = 0;
  let keys = 0;
  let strings = 0;
  let isPlain = true;
  const close = (end: number): void => {
    if (keys === 0) return;
    const isStrings = strings === keys;
    const transaction = isPlain
      ? new WholeKeys(sequence, ns, page, start, end, keys, isStrings)
      : decodeRun(page, start, end, sequence);
    runs.push({ ns, keys, byteLength: end - start, isStrings, transaction });
  };
  let nsStart = -1;
  while (reader.next()) {
    const kind = kindOf(reader);
    const isSameNs = nsStart >= 0 && isSameNamespace(page, nsStart, reader.metadataKeyStart);
    const goesOn = isSameNs && isPlain === (kind !== 'other') && reader.start - start < maxRunBytes;
    if (!goesOn || keys === 0) {
      close(reader.start);
      start = reader.start;
      keys = strings = 0;
      isPlain = kind !== 'other';
      if (!isSameNs) ns = namespaceAt(page, reader.metadataKeyStart);
      nsStart = reader.metadataKeyStart;
    }
    keys++;
    if (kind === 'string') strings++;
  }
  close(reader.end);
  return runs;
};

const decodeRun = (page: Buffer, start: number, end: number, sequence: number): Transaction => {
  const { changes, undecodable } = new Decoder().decode(keyRecordsBatch(page, start, end));
  const none = Buffer.alloc(0);
  return { first: sequence, last: sequence, count: 0, bytes: none, changes, undecodable, isSnapshot: true };
};

/**
 * `other` where more is needed than copying the records: types that Redis lacks or keeps otherwise, old layouts, and keys
 * that are not all there.
 */
const kindOf = (reader: KeyRecordsReader): 'string' | 'collection' | 'other' => {
  const { bytes, userKeyStart, metadataKeyEnd, metadataStart, metadataEnd } = reader;
  if (userKeyStart > metadataKeyEnd) return 'other';
  if (isStringAt(bytes, metadataStart, metadataEnd)) return 'string';
  const isCurrent =
    (bytes[metadataStart] & currentLayout) !== 0 && metadataEnd - metadataStart >= complexHeaderBytes;
  if (!isCurrent) return 'other';
  const { size, typeNumber } = reader;
  const count = countElements(reader, typeNumber);
  return count > 0 && count === size ? 'collection' : 'other';
};

/** How many elements the key has; −1 when one of them is not what its type has. */
const countElements = (reader: KeyRecordsReader, type: number): number => {
  let count = 0;
  switch (type) {
    case TypeNumber.hash:
      if (!hasPlainFields(reader)) return -1;
      while (reader.nextElement()) count++;
      return count;
    case TypeNumber.set:
      for (; reader.nextElement(); count++) if (reader.valueEnd > reader.valueStart) return -1;
      return count;
    case TypeNumber.zset:
      for (; reader.nextElement(); count++) if (!isScore(reader)) return -1;
      return count;
    case TypeNumber.list:
      return countListElements(reader);
    default:
      return -1;
  }
};

const hasPlainFields = ({ bytes, metadataStart, metadataEnd }: KeyRecordsReader): boolean =>
  metadataEnd - metadataStart === complexHeaderBytes ||
  fieldLayoutOf(bytes.subarray(metadataStart + complexHeaderBytes, metadataEnd)) === 'plain';

/** The value of a member of a sorted set is its score. */
const isScore = ({ bytes, valueStart, valueEnd }: KeyRecordsReader): boolean =>
  valueEnd - valueStart === 8 && !Number.isNaN(readOrderedDouble(bytes, valueStart));

/** From head to tail without a gap, or −1. */
const countListElements = (reader: KeyRecordsReader): number => {
  const { bytes, metadataStart, metadataEnd } = reader;
  const ends = readListEnds(bytes.subarray(metadataStart + complexHeaderBytes, metadataEnd));
  if (ends === undefined) return -1;
  let position = ends.head;
  for (; reader.nextElement(); position++) {
    if (reader.subKeyEnd - reader.subKeyStart !== listPositionBytes) return -1;
    if (readListPosition(bytes, reader.subKeyStart) !== position) return -1;
  }
  return position === ends.tail ? position - ends.head : -1;
};

const isSameNamespace = (bytes: Buffer, a: number, b: number): boolean => {
  const length = bytes[a];
  if (bytes[b] !== length) return false;
  for (let at = 1; at <= length; at++) if (bytes[a + at] !== bytes[b + at]) return false;
  return true;
};

/** `default` is what users call the namespace that the store calls `__namespace`. */
const namespaceAt = (bytes: Buffer, keyStart: number): string => {
  const name = bytes.toString('utf8', keyStart + 1, keyStart + 1 + bytes[keyStart]);
  return name === defaultNamespace ? 'default' : name;
};

/** So much of a page goes together: the target can begin with it while the rest is encoded. */
const maxRunBytes = 128 * 1024;
