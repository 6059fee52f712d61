/**
 * The hash by which Kafka's Java client chooses the partition of a key: MurmurHash2, 32 bits, with its seed. Equal to
 * the Java client's for every key, so that what other producers and Kafka Streams write under a key is in one partition
 * with what comes from here.
 */
export const murmur2 = (key: Uint8Array): number => {
  const { length } = key;
  let hash = seed ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let k = key[at] | (key[at + 1] << 8) | (key[at + 2] << 16) | (key[at + 3] << 24);
    k = Math.imul(k, multiplier);
    k ^= k >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(k, multiplier);
  }
  if (length > whole) {
    if (length - whole === 3) hash ^= key[whole + 2] << 16;
    if (length - whole >= 2) hash ^= key[whole + 1] << 8;
    hash = Math.imul(hash ^ key[whole], multiplier);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
};

/** The partition of a key; records without one all go to the first, so that they keep their order. */
export const partitionOf = (key: Uint8Array | null, partitions: number): number =>
  key === null ? 0 : (murmur2(key) & 0x7fff_ffff) % partitions;

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;
