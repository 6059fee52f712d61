import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { crc32c, maskCrc, writeU32 } from '../../../src/bytes/index.js';
import { blockBytes, headerBytes, recyclableHeaderBytes } from '../../../src/engine/wal/log-format.js';
import { LogReader } from '../../../src/engine/wal/log-reader.js';
import { useLog } from './use-log.js';

const log = useLog();
const full = 1;
const first = 2;
const middle = 3;
const last = 4;
/** What is added to these where a record says to which log it belongs. */
const recyclable = 4;
const timestampSizes = 10;
const predecessor = 130;

/** A physical record; with a log number, one with the larger header. */
const record = (type: number, payload: string | Buffer, logNumber?: number): Buffer => {
  const number = Buffer.alloc(logNumber === undefined ? 0 : 4);
  if (logNumber !== undefined) writeU32(number, 0, logNumber);
  const bytes = Buffer.concat([Buffer.alloc(headerBytes), number, Buffer.from(payload)]);
  bytes.writeUInt16LE(payload.length, 4);
  bytes[6] = type;
  writeU32(bytes, 0, maskCrc(crc32c(bytes.subarray(6))));
  return bytes;
};

/** A whole record after which so many bytes are left in the first block. */
const recordLeaving = (left: number, type: number, logNumber?: number): Buffer => {
  const header = logNumber === undefined ? headerBytes : recyclableHeaderBytes;
  return record(type, Buffer.alloc(blockBytes - left - header, 'x'), logNumber);
};

let fd: number | undefined;
afterEach(() => {
  if (fd !== undefined) closeSync(fd);
  fd = undefined;
});

const put = (...parts: readonly Buffer[]): string => {
  const path = join(log.path, '000007.log');
  writeFileSync(path, Buffer.concat(parts));
  return path;
};

const readerOf = (...parts: readonly Buffer[]): LogReader => {
  const path = put(...parts);
  fd = openSync(path, 'r');
  return new LogReader(fd, path, 7);
};

interface Found {
  readonly records: (readonly [offset: number, payload: string])[];
  /** How the reading ended, why and where. */
  readonly end: readonly [read: string, reason: string, position: number];
}

const readAll = (...parts: readonly Buffer[]): Found => {
  const reader = readerOf(...parts);
  const records: [number, string][] = [];
  let read = reader.next();
  for (; read === 'record'; read = reader.next()) records.push([reader.offset, reader.payload.toString()]);
  closeSync(fd ?? -1);
  fd = undefined;
  return { records, end: [read, reader.reason, reader.position] };
};

describe('a log file that RocksDB uses again', () => {
  it('is read as far as its records are of this life of it', () => {
    const own = [5, 6, 7, 8].map((type, i) => record(type, 'abcd'[i] ?? '', 7));
    const length = Buffer.concat(own).length;
    const records = [
      [0, 'a'],
      [12, 'bcd'],
    ];
    expect(readAll(...own)).toEqual({ records, end: ['end', '', length] });
    expect(readAll(...own, record(full + recyclable, 'old', 6))).toEqual({
      records,
      end: ['end', '', length],
    });
  });

  it('ends in the middle of a record where what follows is of another life of it', () => {
    expect(
      readAll(
        record(full + recyclable, 'a', 7),
        record(first + recyclable, 'b', 7),
        record(middle + recyclable, 'c', 6),
      ),
    ).toEqual({ records: [[0, 'a']], end: ['incomplete', '', 12] });
  });

  it('has a filler where no larger header fits, before a record and inside of one', () => {
    for (const left of [7, 8, 10]) {
      const filler = Buffer.alloc(left);
      const { records } = readAll(recordLeaving(left, 5, 7), filler, record(5, 'b', 7));
      expect(records.map(([offset]) => offset)).toEqual([0, blockBytes]);
      const inside = readAll(recordLeaving(left, 6, 7), filler, record(8, 'b', 7));
      expect(inside.records[0]).toEqual([0, `${'x'.repeat(blockBytes - left - 11)}b`]);
    }
  });
});

describe('a record of the log', () => {
  it('is found behind what tells of something else, and says where it begins itself', () => {
    for (const other of [
      record(timestampSizes, 'sizes'),
      record(timestampSizes + 1, 'sizes', 7),
      record(predecessor, 'before'),
      record(predecessor + 1, 'before', 7),
      record(0x85, 'of a version to come'),
    ])
      expect(readAll(other, record(full, 'a'), other, record(full, 'b'), other)).toEqual({
        records: [
          [other.length, 'a'],
          [2 * other.length + 8, 'b'],
        ],
        end: ['end', '', 3 * other.length + 16],
      });
    const inside = readAll(
      record(first, 'a'),
      record(predecessor, 'before'),
      record(middle, 'b'),
      record(last, 'c'),
    );
    expect(inside.records).toEqual([[0, 'abc']]);
  });

  it('is refused where it makes no sense, with the place where it begins', () => {
    const lead = record(full, 'lead');
    const at = lead.length;
    const tooLong = record(full, 'a');
    tooLong.writeUInt16LE(40_000, 4);
    const cases: [reason: string, ...parts: Buffer[]][] = [
      ['unknown record type 12', record(12, 'a')],
      ['unknown record type 0', record(0, 'a')],
      ['a record begins inside a fragmented record', record(first, 'a'), record(full, 'b')],
      ['a record begins inside a fragmented record', record(first, 'a'), record(first, 'b')],
      ['a fragment without its beginning', record(middle, 'a')],
      ['a fragment without its beginning', record(last, 'a')],
      ['a zero-filled area inside a fragmented record', record(first, 'a'), Buffer.alloc(100)],
      ['record length 40000 exceeds its block', tooLong],
      ['checksum mismatch', Buffer.concat([Buffer.alloc(4), record(full, 'abc').subarray(4)])],
    ];
    for (const [reason, ...parts] of cases)
      expect(readAll(lead, ...parts)).toEqual({ records: [[0, 'lead']], end: ['damaged', reason, at] });
  });

  it('is told from the end of the file, and from zeros that are there for what will come', () => {
    const lead = record(full, 'lead');
    const records = [[0, 'lead']];
    const behind = lead.length;
    expect(readAll(lead)).toEqual({ records, end: ['end', '', behind] });
    expect(readAll(lead, Buffer.alloc(500))).toEqual({ records, end: ['end', '', behind] });
    const fragments = Buffer.concat([record(first, 'abc'), record(last, 'def')]);
    for (let cut = 1; cut < fragments.length; cut++)
      expect(readAll(lead, fragments.subarray(0, cut))).toEqual({
        records,
        end: ['incomplete', '', behind],
      });
    // Nothing but the fragment says that there must be more.
    expect(readAll(recordLeaving(0, first)).end).toEqual(['incomplete', '', 0]);
    expect(readAll(recordLeaving(3, first), Buffer.alloc(3)).end).toEqual(['incomplete', '', 0]);
    // The log ends behind its last record, not behind a filler.
    expect(readAll(recordLeaving(3, full)).end).toEqual(['end', '', blockBytes - 3]);
  });

  it('is read in the end when it came in parts, or was seen half written', () => {
    const lead = record(full, 'lead');
    const whole = Buffer.concat([lead, record(first, 'abc'), record(last, 'def')]);
    const reader = readerOf(lead);
    expect(reader.next()).toBe('record');
    for (let length = lead.length + 1; length < whole.length; length++) {
      put(whole.subarray(0, length));
      expect(reader.next()).toBe('incomplete');
    }
    const halfWritten = Buffer.from(whole);
    halfWritten.fill(0xff, whole.length - 2);
    put(halfWritten);
    expect(reader.next()).toBe('damaged');
    put(whole);
    expect(reader.next(whole.length - 1)).toBe('incomplete');
    expect(reader.next(lead.length)).toBe('end');
    expect(reader.next(whole.length)).toBe('record');
    expect(reader.payload.toString()).toBe('abcdef');
  });

  it('is read where there were zeros before, and when it is larger than what is read at a time', () => {
    const lead = record(full, 'lead');
    const reader = readerOf(lead, Buffer.alloc(500));
    expect([reader.next(), reader.next()]).toEqual(['record', 'end']);
    const fragments = Array.from({ length: 12 }, (_, i) =>
      recordLeaving(i === 0 ? lead.length : 0, i === 0 ? first : middle),
    );
    put(lead, ...fragments);
    for (let i = 0; i < 3; i++) expect(reader.next()).toBe('incomplete');
    put(lead, ...fragments, record(last, 'end'));
    expect(reader.next()).toBe('record');
    expect(reader.payloadEnd - reader.payloadStart).toBe(12 * (blockBytes - headerBytes) - lead.length + 3);
  });

  it('that is intact is seen behind damage, wherever it stands, and nothing before the damage is', () => {
    const lead = record(full, 'lead');
    const damage = Buffer.alloc(30, 0xee);
    const isSeen = (...parts: readonly Buffer[]): boolean => {
      const reader = readerOf(lead, ...parts);
      while (reader.next() === 'record');
      const isIntactBehind = reader.hasIntactRecordBehind(lead.length + Buffer.concat(parts).length);
      closeSync(fd ?? -1);
      fd = undefined;
      return isIntactBehind;
    };
    expect(isSeen(damage)).toBe(false);
    expect(isSeen(damage, record(full, 'a'))).toBe(true);
    expect(isSeen(damage.subarray(0, 1), record(full, 'a'))).toBe(true);
    expect(isSeen(damage, record(first, 'a'))).toBe(true);
    expect(isSeen(damage, record(last, 'a'))).toBe(false);
    expect(isSeen(damage, record(full, 'abc').subarray(0, 9))).toBe(false);
    const rest = Buffer.alloc(blockBytes - lead.length, 0xee);
    expect(isSeen(rest, record(full, 'a'))).toBe(true);
    expect(isSeen(rest, Buffer.alloc(3 * blockBytes), record(full, 'a'))).toBe(true);
    expect(isSeen(rest, Buffer.alloc(12 * blockBytes), record(full, 'a'))).toBe(true);
    const endless = record(full, 'a');
    endless.writeUInt16LE(0xffff, 4); // ends behind all that is read at a time
    expect(isSeen(rest, Buffer.alloc(6 * blockBytes), endless)).toBe(false);
  });
});
