import { RdbType } from './dump-payload.js';
import type { DumpedValue } from './dumped-value.js';

/**
 * The parts of type and value as RDB files have them, in the plain forms: every Redis reads them, and packs them as it likes.
 *
 *   string   length, bytes                      set    count, string …
 *   list     count, string …                    hash   count, (string, string) …
 *   zset     count, (string, double LE) …
 */
export const writeDumpedValue = (dumped: DumpedValue): Buffer[] => {
  const parts: Buffer[] = [];
  const string = (bytes: Buffer): void => {
    parts.push(lengthOf(bytes.length), bytes);
  };
  switch (dumped.type) {
    case 'string':
      parts.push(Buffer.of(RdbType.string));
      string(dumped.value);
      break;
    case 'list':
      parts.push(Buffer.of(RdbType.list), lengthOf(dumped.elements.length));
      for (const element of dumped.elements) string(element);
      break;
    case 'set':
      parts.push(Buffer.of(RdbType.set), lengthOf(dumped.members.length));
      for (const member of dumped.members) string(member);
      break;
    case 'hash':
      parts.push(Buffer.of(RdbType.hash), lengthOf(dumped.fields.length));
      for (const { field, value } of dumped.fields) {
        string(field);
        string(value);
      }
      break;
    case 'zset':
      parts.push(Buffer.of(RdbType.zset), lengthOf(dumped.members.length));
      for (const { member, score } of dumped.members) {
        string(member);
        const bytes = Buffer.allocUnsafe(8);
        bytes.writeDoubleLE(score);
        parts.push(bytes);
      }
      break;
  }
  return parts;
};

/** A length: 6 bits in one byte, 14 bits in two, or 0x80 and 32 bits big-endian. */
const lengthOf = (length: number): Buffer => {
  if (length < 0x40) return Buffer.of(length);
  if (length < 0x4000) return Buffer.of(0x40 | (length >> 8), length & 0xff);
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = 0x80;
  bytes.writeUInt32BE(length, 1);
  return bytes;
};
