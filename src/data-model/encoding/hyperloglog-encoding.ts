/**
 * HyperLogLogs: 16,384 registers of 6 bits, in 16 segments of 1,024 registers. The sub-key of a segment is its
 * number as decimal text, its value 768 bytes laid out as Redis' dense form: register i takes bits 6i … 6i + 5,
 * counted from each byte's low bit. Segments without registers set are left out. Metadata adds one byte, the
 * encoding: 0 = dense.
 */
export const registerCount = 16_384;
export const registersPerSegment = 1024;
export const segmentCount = registerCount / registersPerSegment;
export const segmentBytes = (registersPerSegment * 6) / 8;
export const denseEncoding = 0;

export const encodeSegmentNumber = (segment: number): Buffer => Buffer.from(String(segment), 'latin1');

/** Reads a register (0 … 63) of a segment by its place in it. */
export const readRegister = (segment: Uint8Array, place: number): number => {
  const bit = place * 6;
  const at = bit >>> 3;
  const shift = bit & 7;
  return (((segment[at] | ((segment[at + 1] ?? 0) << 8)) >>> shift) & 0x3f) >>> 0;
};

export const writeRegister = (segment: Uint8Array, place: number, value: number): void => {
  const bit = place * 6;
  const at = bit >>> 3;
  const shift = bit & 7;
  const pair = (segment[at] | ((segment[at + 1] ?? 0) << 8)) & ~(0x3f << shift);
  const updated = pair | (value << shift);
  segment[at] = updated;
  if (at + 1 < segment.length) segment[at + 1] = updated >>> 8;
};
