/**
 * Block-split Bloom filter (Apache Parquet's): blocks of 32 bytes, eight words of 32 bits (little-endian) each.
 * An item's hash chooses the block by its upper half, and one bit in each word by its lower half.
 */
const blockBytes = 32;
export const maxFilterBytes = 128 * 1024 * 1024;

const salts = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
];

/** Whether it consists of whole blocks, which all others here rely on. */
export const isFilter = (bytes: Uint8Array): boolean => bytes.length > 0 && bytes.length % blockBytes === 0;

/** Bytes for so many items at this rate of false positives: a power of two. */
export const filterBytesFor = (capacity: number, errorRate: number): number => {
  const bits = (-8 * capacity) / Math.log(1 - errorRate ** (1 / 8));
  const bytes = 2 ** Math.ceil(Math.log2(Math.max(1, Math.floor(bits)))) / 8;
  return Math.max(blockBytes, Math.min(maxFilterBytes, bytes));
};

export const mayContain = (filter: Buffer, hash: bigint): boolean => {
  const block = blockOf(filter, hash);
  const low = Number(hash & 0xffff_ffffn);
  return salts.every(
    (salt, word) => ((filter.readUInt32LE(block + word * 4) >>> (Math.imul(low, salt) >>> 27)) & 1) === 1,
  );
};

/** Changes the filter in place. */
export const insertHash = (filter: Buffer, hash: bigint): void => {
  const block = blockOf(filter, hash);
  const low = Number(hash & 0xffff_ffffn);
  for (const [word, salt] of salts.entries()) {
    const at = block + word * 4;
    filter.writeUInt32LE((filter.readUInt32LE(at) | (1 << (Math.imul(low, salt) >>> 27))) >>> 0, at);
  }
};

const blockOf = (filter: Buffer, hash: bigint): number =>
  Number(((hash >> 32n) * BigInt(filter.length / blockBytes)) >> 32n) * blockBytes;
