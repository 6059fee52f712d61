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

/** The number that a segment's sub-key names; undefined when it is none. */
export const readSegmentNumber = (subKey: Buffer): number | undefined => {
  const text = subKey.toString('latin1');
  return /^\d{1,2}$/.test(text) && Number(text) < segmentCount ? Number(text) : undefined;
};

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

/**
 * Raises the registers of a whole HyperLogLog, one a byte, to those of one of its segments, where these are larger: four
 * of them lie in three bytes. Hot: PFCOUNT and PFMERGE look at all of them.
 */
export const raiseToSegment = (registers: Uint8Array, number: number, segment: Uint8Array): void => {
  let place = number * registersPerSegment;
  for (let at = 0; at < segmentBytes; at += 3) {
    const four = segment[at] | (segment[at + 1] << 8) | (segment[at + 2] << 16);
    if (four === 0) {
      place += 4;
      continue;
    }
    for (let shift = 0; shift < 24; shift += 6) {
      const value = (four >>> shift) & 0x3f;
      if (value > registers[place]) registers[place] = value;
      place++;
    }
  }
};

/** The segment of these registers by its number; undefined when all of them are zero. */
export const packSegment = (registers: Uint8Array, number: number): Buffer | undefined => {
  const packed = Buffer.allocUnsafe(segmentBytes);
  let any = 0;
  let place = number * registersPerSegment;
  for (let at = 0; at < segmentBytes; at += 3, place += 4) {
    const four =
      registers[place] |
      (registers[place + 1] << 6) |
      (registers[place + 2] << 12) |
      (registers[place + 3] << 18);
    any |= four;
    packed[at] = four;
    packed[at + 1] = four >>> 8;
    packed[at + 2] = four >>> 16;
  }
  return any === 0 ? undefined : packed;
};
