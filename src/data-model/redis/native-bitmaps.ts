import { reverseBits } from '../encoding/bitmap-encoding.js';
import type { CommandTarget } from './command-target.js';

/**
 * The bytes of a bitmap as `BITFIELD key SET i64 bit number …`: of Kvrocks' commands the only one that puts more than a bit
 * into a bitmap, which a SETRANGE would make a string. Its fields lie in the bytes as they are stored, with the bits of each
 * turned round. Signed, for there is no u64. A word never reaches beyond what is written, so that the bitmap becomes exactly
 * as long; what is left of less than eight bytes is one shorter word.
 */
export const writeBitmapWords = (target: CommandTarget, offset: number, bytes: Uint8Array): void => {
  const stored = reverseBits(bytes);
  let at = 0;
  for (; at + wordBytes <= stored.length; at += wordBytes)
    writeSet(target, 'i64', offset + at, String(stored.readBigInt64BE(at)));
  const rest = stored.length - at;
  if (rest > 0) writeSet(target, `i${rest * 8}`, offset + at, restText(stored, at, rest));
};

/** How many words `writeBitmapWords` adds to the command. */
export const bitmapWordCount = (byteLength: number): number => 4 * Math.ceil(byteLength / wordBytes);

/** Bytes that are put by one command: beyond it the server would be busy too long at a time. */
export const bytesOfBitfield = 8 * 1024;

const wordBytes = 8;

const writeSet = (target: CommandTarget, type: string, byteOffset: number, value: string): void => {
  target.text('SET');
  target.text(type);
  target.text(String(byteOffset * 8));
  target.text(value);
};

const restText = (bytes: Buffer, at: number, length: number): string =>
  length <= 6
    ? String(bytes.readIntBE(at, length))
    : String(BigInt.asIntN(56, (BigInt(bytes.readUInt8(at)) << 48n) | BigInt(bytes.readUIntBE(at + 1, 6))));
