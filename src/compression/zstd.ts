import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { readU32 } from '../bytes/index.js';
import { messageOf } from '../errors/index.js';

/**
 * Decompresses Zstandard frames (RFC 8878) that hold at most `maxBytes` together; no more memory is taken for them, whatever
 * they say. Where Node.js has no Zstandard their checksums go unchecked: what stores them here has its own around them.
 * @returns owned; or a text that says why the bytes cannot be decompressed
 */
export const decompressZstd = (bytes: Buffer, maxBytes: number): Buffer | string => {
  const parts: Buffer[] = [];
  let length = 0;
  for (let at = 0; at < bytes.length; ) {
    const frame = measureFrame(bytes, at);
    if (typeof frame === 'string') return frame;
    if (!frame.isSkippable) {
      const part = decompressFrame(bytes.subarray(at, frame.end), frame, maxBytes - length);
      if (typeof part === 'string') return part;
      parts.push(part);
      length += part.length;
    }
    at = frame.end;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts, length);
};

interface Frame {
  readonly end: number;
  readonly isSkippable: boolean;
  /** Of what it holds, where it says so and has blocks enough for it. */
  readonly length: number | undefined;
  readonly windowBytes: number;
}

/**
 *   | magic u32 | descriptor u8 | window u8 | dictionary 0–4 | content size 0–8 | block … | checksum u32 |
 *
 *   descriptor:  bits 0–1 length of the dictionary's id, 2 a checksum follows, 5 no window, 6–7 length of the content size
 *   block:       | u24: bit 0 last, 1–2 kind, 3–23 size | contents |
 *
 * A skippable frame is | magic u32 | length u32 | contents |. All numbers are little-endian.
 */
const measureFrame = (bytes: Buffer, start: number): Frame | string => {
  if (start + 8 > bytes.length) return cutOff;
  const magic = readU32(bytes, start);
  if (magic >>> 4 === skippableMagic) {
    const end = start + 8 + readU32(bytes, start + 4);
    if (end > bytes.length) return cutOff;
    return { end, isSkippable: true, length: 0, windowBytes: 0 };
  }
  if (magic !== frameMagic) return 'no Zstandard frame';
  const descriptor = bytes[start + 4];
  if ((descriptor & 3) !== 0) return 'a dictionary';
  const hasWindow = (descriptor & 0x20) === 0;
  let at = start + (hasWindow ? 6 : 5);
  const width = descriptor < 0x40 ? (hasWindow ? 0 : 1) : 1 << (descriptor >> 6);
  if (at + width > bytes.length) return cutOff;
  const length = width === 0 ? undefined : contentSize(bytes, at, width);
  at += width;
  let maxBytes = 0;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return cutOff;
    const header = bytes.readUIntLE(at, 3);
    const size = header >>> 3;
    const kind = (header >> 1) & 3;
    isLast = (header & 1) === 1;
    if (kind === BlockKind.compressed && hasEndlessWeights(bytes, at + 3)) return 'weights that never end';
    at += 3 + (kind === BlockKind.repeated ? 1 : size);
    maxBytes += kind === BlockKind.compressed ? largestBlock : size;
  }
  const end = at + (descriptor & 4);
  if (end > bytes.length) return cutOff;
  if (length !== undefined && length > maxBytes) return `a frame that cannot hold ${length} bytes`;
  const windowBytes = hasWindow ? windowSize(bytes[start + 5]) : (length ?? 0);
  return { end, isSkippable: false, length, windowBytes };
};

/**
 * True for a block whose Huffman code is told by numbers of which each takes no bits, so that there are ever more of them.
 * It is damaged, and fzstd would go on for ever.
 *
 *   block:    | literals, 3 to 5 bytes: bits 0–1 kind, 2–3 form | length of the tree u8 | table … |
 *   table:    bits 0–3 logarithm of its size − 5, then the share of each number
 *
 * A share of nothing takes as many bits as the logarithm says, and two at least for how many more follow; that of all has one
 * bit more, all of them set.
 */
const hasEndlessWeights = (bytes: Buffer, at: number): boolean => {
  const form = (bytes[at] >> 2) & 3;
  const tree = at + (form < 2 ? 3 : form + 2);
  if ((bytes[at] & 3) !== compressedLiterals || tree + 1 >= bytes.length || bytes[tree] >= 128) return false;
  const log = (bytes[tree + 1] & 15) + 5;
  const bits = (from: number, count: number): number => {
    const byte = from >> 3;
    const read = bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16);
    return (read >> (from & 7)) & ((1 << count) - 1);
  };
  let from = 8 * (tree + 1) + 4;
  const end = from + 8 * 128;
  while (from < end) {
    if (bits(from, log + 1) === (2 << log) - 1) return true;
    if (bits(from, log) !== 1) return false;
    from += log + 2;
    while (from < end && bits(from - 2, 2) === 3) from += 2;
  }
  return false;
};

const contentSize = (bytes: Buffer, at: number, width: number): number => {
  if (width === 8) return Number(bytes.readBigUInt64LE(at));
  return bytes.readUIntLE(at, width) + (width === 2 ? 256 : 0);
};

const windowSize = (descriptor: number): number => {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
};

const decompressFrame = (bytes: Buffer, frame: Frame, maxBytes: number): Buffer | string => {
  const { length } = frame;
  if (length !== undefined && length > maxBytes) return tooLarge(maxBytes);
  try {
    const plain = isNative(native)
      ? native(bytes, { maxOutputLength: Math.max(length ?? maxBytes, 1) })
      : inScript(bytes, frame, maxBytes);
    if (typeof plain === 'string' || length === undefined || plain.length === length) return plain;
    return `a frame of ${plain.length} bytes instead of ${length}`;
  } catch (error) {
    return messageOf(error);
  }
};

const inScript = (bytes: Buffer, { length, windowBytes }: Frame, maxBytes: number): Buffer | string => {
  if (windowBytes > largestWindowInScript)
    return `a window of ${windowBytes} bytes, which needs Node.js 22.15 or later`;
  script ??= loadScript();
  const { Decompress, decompress } = script;
  const input = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  if (length !== undefined) {
    const { buffer, byteOffset, byteLength } = decompress(input);
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  const parts: Uint8Array[] = [];
  let total = 0;
  const stream = new Decompress((part) => {
    total += part.length;
    if (total > maxBytes) throw new RangeError(tooLarge(maxBytes));
    parts.push(part);
  });
  stream.push(input, true);
  return Buffer.concat(parts, total);
};

const tooLarge = (maxBytes: number): string => `more than ${maxBytes} bytes`;

type Script = typeof import('fzstd');
/** Loaded when there is something for it to do, which costs a start some milliseconds. */
let script: Script | undefined;
const loadScript = (): Script => createRequire(import.meta.url)('fzstd');

type Native = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
/** Node.js has it from 22.15 and 23.8 on. */
const native: unknown = Reflect.get(zlib, 'zstdDecompressSync');
const isNative = (found: unknown): found is Native => typeof found === 'function';

const BlockKind = { raw: 0, repeated: 1, compressed: 2 } as const;
const compressedLiterals = 2;
const frameMagic = 0xfd2f_b528;
const skippableMagic = 0x184d_2a5;
const largestBlock = 128 * 1024;
/** Offsets of more than 25 bits are beyond what it reads at once. */
const largestWindowInScript = 32 * 1024 * 1024;
const cutOff = 'a frame that is cut off';
