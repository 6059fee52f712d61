const multiplier = 0xc6a4a7935bd1e995n;
const mask = 0xffff_ffff_ffff_ffffn;
const shift = 47n;

/** MurmurHash64A (Austin Appleby), little-endian: the hash by which HyperLogLog registers are chosen. */
export const murmurHash64A = (bytes: Buffer, seed: bigint): bigint => {
  const blocksEnd = bytes.length - (bytes.length % 8);
  let hash = seed ^ ((BigInt(bytes.length) * multiplier) & mask);
  for (let at = 0; at < blocksEnd; at += 8) {
    let block = (bytes.readBigUInt64LE(at) * multiplier) & mask;
    block ^= block >> shift;
    block = (block * multiplier) & mask;
    hash = ((hash ^ block) * multiplier) & mask;
  }
  if (blocksEnd < bytes.length) {
    let rest = 0n;
    for (let at = bytes.length - 1; at >= blocksEnd; at--) rest = (rest << 8n) | BigInt(bytes[at]);
    hash = ((hash ^ rest) * multiplier) & mask;
  }
  hash ^= hash >> shift;
  hash = (hash * multiplier) & mask;
  return hash ^ (hash >> shift);
};
