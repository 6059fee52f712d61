/** CRC-64 as Redis has it (Jones: reflected polynomial 0x95AC9329AC4BC9B5, no inversion). Of `start` … `end`. */
export const crc64 = (bytes: Uint8Array, start = 0, end = bytes.length): bigint => {
  run(bytes, start, end);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
};

/** The same as 8 bytes, little-endian, at `offset` of `target`; returns the offset behind them. Hot: bench `migrate`. */
export const writeCrc64 = (
  target: Uint8Array,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number => {
  run(bytes, start, end);
  for (let at = 0; at < 4; at++) {
    target[offset + at] = low >>> (8 * at);
    target[offset + 4 + at] = high >>> (8 * at);
  }
  return offset + 8;
};

/** The sum of the last run, in halves: a bigint for each would cost more than the sum of a short string. */
let low = 0;
let high = 0;

/** Eight bytes a step, each by a table of what it becomes after those behind it. */
const run = (bytes: Uint8Array, start: number, end: number): void => {
  let l = 0;
  let h = 0;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    l ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    h ^= bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24);
    const a = 0x700 | (l & 0xff);
    const b = 0x600 | ((l >>> 8) & 0xff);
    const c = 0x500 | ((l >>> 16) & 0xff);
    const d = 0x400 | (l >>> 24);
    const e = 0x300 | (h & 0xff);
    const f = 0x200 | ((h >>> 8) & 0xff);
    const g = 0x100 | ((h >>> 16) & 0xff);
    const i = h >>> 24;
    l =
      lowWords[a] ^
      lowWords[b] ^
      lowWords[c] ^
      lowWords[d] ^
      lowWords[e] ^
      lowWords[f] ^
      lowWords[g] ^
      lowWords[i];
    h =
      highWords[a] ^
      highWords[b] ^
      highWords[c] ^
      highWords[d] ^
      highWords[e] ^
      highWords[f] ^
      highWords[g] ^
      highWords[i];
  }
  for (; at < end; at++) {
    const place = (l ^ bytes[at]) & 0xff;
    l = ((l >>> 8) | (h << 24)) ^ lowWords[place];
    h = (h >>> 8) ^ highWords[place];
  }
  low = l;
  high = h;
};

const polynomial = 0x95ac9329ac4bc9b5n;
/** At 256 · n + byte: what a byte becomes with n bytes of zero behind it. */
const lowWords = new Int32Array(8 * 256);
const highWords = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  lowWords[byte] = Number(crc & 0xffff_ffffn);
  highWords[byte] = Number(crc >> 32n);
}
for (let place = 256; place < 8 * 256; place++) {
  const l = lowWords[place - 256];
  const h = highWords[place - 256];
  lowWords[place] = ((l >>> 8) | (h << 24)) ^ lowWords[l & 0xff];
  highWords[place] = (h >>> 8) ^ highWords[l & 0xff];
}
