import { writeCrc64, writeU32 } from '../../bytes/index.js';
import type { ByteWriter } from '../../resp/index.js';
import { RdbType } from '../commands/dump/dump-payload.js';

/**
 * What RESTORE takes of a hash, as Redis 7 dumps it while it is small (RDB version 10):
 *
 *   0      1            3             7          9           … n             … n + 1       … n + 3
 *   | 16 | 0x40 + size | listpack size | 2 · fields | entries … | 0xff (end) | version u16 LE | CRC-64 u64 LE |
 *     u8   u16 BE        u32 LE          u16 LE
 *
 * Field and value are entries in turn. A server takes it several times as fast as the same fields by HSET, which looks for
 * each of them.
 */
export const appendHashDump = (
  out: ByteWriter,
  entries: Buffer,
  start: number,
  end: number,
  fields: number,
): void => {
  const size = listpackFrameBytes + end - start;
  const payloadBytes = 3 + size + footerBytes;
  out.line(bulkMark, payloadBytes);
  const target = out.claim(payloadBytes + 2);
  const from = out.length;
  target[from] = RdbType.hashListpack;
  target[from + 1] = 0x40 | (size >>> 8);
  target[from + 2] = size;
  writeU32(target, from + 3, size);
  target[from + 7] = 2 * fields;
  target[from + 8] = (2 * fields) >>> 8;
  entries.copy(target, from + 9, start, end);
  let at = from + 9 + end - start;
  target[at++] = 0xff;
  target[at++] = rdbVersion;
  target[at++] = 0;
  at = writeCrc64(target, at, target, from, at);
  target[at++] = 0x0d;
  target[at++] = 0x0a;
  out.advance(at);
};

/** Of so many bytes a dump may have entries: for more its size would be written otherwise. */
export const maxDumpedBytes = 16_000;

/**
 * A command that answers OK where such dumps are taken and expiries told by the time: Redis 7 and what is like it. It changes
 * nothing: the hash has expired long ago.
 */
export const appendRestoreProbe = (out: ByteWriter, key: string): void => {
  out.arrayHeader(5);
  for (const word of ['RESTORE', key, '1']) out.bulkText(word);
  appendHashDump(out, sampleEntries, 0, sampleEntries.length, 1);
  out.bulkText('ABSTTL');
};

/** Field `f`, value `v`. */
const sampleEntries = Buffer.from('\x81f\x02\x81v\x02', 'latin1');
/** Of a listpack: its size, the count of its entries and its end. */
const listpackFrameBytes = 7;
/** Version and checksum. */
const footerBytes = 10;
const rdbVersion = 10;
const bulkMark = 0x24;
