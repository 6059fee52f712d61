const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;
const mask = 0xffff_ffff_ffff_ffffn;

const rotated = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & mask;

const round = (lane: bigint, input: bigint): bigint =>
  (rotated((lane + input * prime2) & mask, 31n) * prime1) & mask;

const merged = (hash: bigint, lane: bigint): bigint => ((hash ^ round(0n, lane)) * prime1 + prime4) & mask;

/** XXH64 (Yann Collet) of `bytes`, with seed 0. */
export const xxHash64 = (bytes: Buffer): bigint => {
  const { length } = bytes;
  let at = 0;
  let hash: bigint;
  if (length >= 32) {
    let [a, b, c, d] = [(prime1 + prime2) & mask, prime2, 0n, -prime1 & mask];
    for (; at + 32 <= length; at += 32) {
      a = round(a, bytes.readBigUInt64LE(at));
      b = round(b, bytes.readBigUInt64LE(at + 8));
      c = round(c, bytes.readBigUInt64LE(at + 16));
      d = round(d, bytes.readBigUInt64LE(at + 24));
    }
    hash = (rotated(a, 1n) + rotated(b, 7n) + rotated(c, 12n) + rotated(d, 18n)) & mask;
    for (const lane of [a, b, c, d]) hash = merged(hash, lane);
  } else hash = prime5;
  hash = (hash + BigInt(length)) & mask;
  for (; at + 8 <= length; at += 8)
    hash = (rotated(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * prime1 + prime4) & mask;
  if (at + 4 <= length) {
    hash = (rotated(hash ^ ((BigInt(bytes.readUInt32LE(at)) * prime1) & mask), 23n) * prime2 + prime3) & mask;
    at += 4;
  }
  for (; at < length; at++)
    hash = (rotated(hash ^ ((BigInt(bytes[at]) * prime5) & mask), 11n) * prime1) & mask;
  hash = ((hash ^ (hash >> 33n)) * prime2) & mask;
  hash = ((hash ^ (hash >> 29n)) * prime3) & mask;
  return hash ^ (hash >> 32n);
};
