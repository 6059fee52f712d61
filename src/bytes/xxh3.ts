/**
 * XXH3_64bits (Yann Collet) with seed 0: digests of strings, and checksums of RocksDB's files. Blocks of those are long
 * and run on 32-bit halves; what is short takes BigInt.
 */
export const xxh3 = (bytes: Buffer, start = 0, end = bytes.length): bigint => {
  const length = end - start;
  if (length > midSize) return longHash(bytes, start, length);
  const input = bytes.subarray(start, end);
  return length > 128 ? hash129to240(input) : length > 16 ? hash17to128(input) : hash0to16(input);
};

/** The low 32 bits of XXH3_64bits. */
export const xxh3Low32 = (bytes: Buffer, start: number, end: number): number =>
  Number(xxh3(bytes, start, end) & 0xffff_ffffn);

const midSize = 240;
const mask = 0xffff_ffff_ffff_ffffn;
const prime32a = 0x9e3779b1;
const prime32b = 0x85ebca77n;
const prime64a = 0x9e3779b185ebca87n;
const prime64b = 0xc2b2ae3d27d4eb4fn;
const prime64c = 0x165667b19e3779f9n;
const prime64d = 0x85ebca77c2b2ae63n;
const prime64e = 0x27d4eb2f165667c5n;
const primeMx1 = 0x165667919e3779f9n;
const primeMx2 = 0x9fb21c651e98df25n;

const secret = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
    '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);
const secret32 = new Uint32Array(secret.length / 4).map((_, at) => secret.readUInt32LE(4 * at));

const u64 = (bytes: Buffer, offset: number): bigint => bytes.readBigUInt64LE(offset);

const foldedProduct = (a: bigint, b: bigint): bigint => {
  const product = a * b;
  return (product & mask) ^ (product >> 64n);
};

const rotated = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & mask;

const swapped = (value: bigint): bigint => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.readBigUInt64BE();
};

const avalanche = (value: bigint): bigint => {
  const mixed = ((value ^ (value >> 37n)) * primeMx1) & mask;
  return mixed ^ (mixed >> 32n);
};

const avalanche64 = (value: bigint): bigint => {
  let mixed = ((value ^ (value >> 33n)) * prime64b) & mask;
  mixed = ((mixed ^ (mixed >> 29n)) * prime64c) & mask;
  return mixed ^ (mixed >> 32n);
};

const hash0to16 = (input: Buffer): bigint => {
  const { length } = input;
  if (length > 8) {
    const low = u64(input, 0) ^ u64(secret, 24) ^ u64(secret, 32);
    const high = u64(input, length - 8) ^ u64(secret, 40) ^ u64(secret, 48);
    return avalanche((BigInt(length) + swapped(low) + high + foldedProduct(low, high)) & mask);
  }
  if (length >= 4) {
    const joined = BigInt(input.readUInt32LE(length - 4)) + (BigInt(input.readUInt32LE(0)) << 32n);
    let mixed = joined ^ u64(secret, 8) ^ u64(secret, 16);
    mixed ^= rotated(mixed, 49n) ^ rotated(mixed, 24n);
    mixed = (mixed * primeMx2) & mask;
    mixed ^= (mixed >> 35n) + BigInt(length);
    mixed = (mixed * primeMx2) & mask;
    return mixed ^ (mixed >> 28n);
  }
  if (length === 0) return avalanche64(u64(secret, 56) ^ u64(secret, 64));
  const joined = ((input[0] << 16) | (input[length >> 1] << 24) | input[length - 1] | (length << 8)) >>> 0;
  return avalanche64(BigInt((joined ^ secret32[0] ^ secret32[1]) >>> 0));
};

const mixed16 = (input: Buffer, at: number, secretAt: number): bigint =>
  foldedProduct(u64(input, at) ^ u64(secret, secretAt), u64(input, at + 8) ^ u64(secret, secretAt + 8));

const hash17to128 = (input: Buffer): bigint => {
  const { length } = input;
  let sum = BigInt(length) * prime64a;
  for (let pair = (length - 1) >> 5; pair >= 0; pair--)
    sum += mixed16(input, 16 * pair, 32 * pair) + mixed16(input, length - 16 * (pair + 1), 32 * pair + 16);
  return avalanche(sum & mask);
};

const hash129to240 = (input: Buffer): bigint => {
  const { length } = input;
  let sum = BigInt(length) * prime64a;
  for (let at = 0; at < 8; at++) sum += mixed16(input, 16 * at, 16 * at);
  sum = avalanche(sum & mask);
  for (let at = 8; at < length >> 4; at++) sum += mixed16(input, 16 * at, 16 * (at - 8) + 3);
  sum += mixed16(input, length - 16, 136 - 17);
  return avalanche(sum & mask);
};

const laneStart = [0xc2b2ae3dn, prime64a, prime64b, prime64c, prime64d, prime32b, prime64e, BigInt(prime32a)];
const stripeBytes = 64;
/** Stripes between two scrambles: (length of the secret − stripe) / 8. */
const stripesPerBlock = 16;

/** Eight lanes of 64 bits, each as its low and high half. */
const longHash = (bytes: Buffer, start: number, length: number): bigint => {
  const low = new Uint32Array(laneStart.map((lane) => Number(lane & 0xffff_ffffn)));
  const high = new Uint32Array(laneStart.map((lane) => Number(lane >> 32n)));
  const stripes = Math.floor((length - 1) / stripeBytes);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inBlock = stripe % stripesPerBlock;
    addStripe(low, high, bytes, start + stripe * stripeBytes, 8 * inBlock);
    if (inBlock === stripesPerBlock - 1) scramble(low, high);
  }
  addStripe(low, high, bytes, start + length - stripeBytes, secret.length - stripeBytes - 7);
  let hash = (BigInt(length) * prime64a) & mask;
  for (let pair = 0; pair < 4; pair++) {
    const a = (BigInt(high[2 * pair]) << 32n) | BigInt(low[2 * pair]);
    const b = (BigInt(high[2 * pair + 1]) << 32n) | BigInt(low[2 * pair + 1]);
    hash += foldedProduct(a ^ u64(secret, 11 + 16 * pair), b ^ u64(secret, 19 + 16 * pair));
  }
  return avalanche(hash & mask);
};

/** To each lane the product of both halves of its input, mixed with the secret; to its neighbour the input itself. */
const addStripe = (
  low: Uint32Array,
  high: Uint32Array,
  bytes: Buffer,
  at: number,
  secretAt: number,
): void => {
  for (let lane = 0; lane < 8; lane++) {
    const offset = at + 8 * lane;
    const inputLow =
      bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24);
    const inputHigh =
      bytes[offset + 4] | (bytes[offset + 5] << 8) | (bytes[offset + 6] << 16) | (bytes[offset + 7] << 24);
    const keyAt = secretAt + 8 * lane;
    const a = (inputLow ^ secretWord(keyAt)) >>> 0;
    const b = (inputHigh ^ secretWord(keyAt + 4)) >>> 0;
    add(low, high, lane ^ 1, inputLow >>> 0, inputHigh >>> 0);
    // a × b in halves of 16 bits
    const a0 = a & 0xffff;
    const a1 = a >>> 16;
    const b0 = b & 0xffff;
    const b1 = b >>> 16;
    const middle = a1 * b0 + (((a0 * b0) >>> 16) >>> 0);
    const middleHigh = Math.floor(middle / 0x1_0000);
    const second = a0 * b1 + (middle & 0xffff);
    add(low, high, lane, Math.imul(a, b) >>> 0, (a1 * b1 + middleHigh + Math.floor(second / 0x1_0000)) >>> 0);
  }
};

const add = (low: Uint32Array, high: Uint32Array, lane: number, addLow: number, addHigh: number): void => {
  const sum = low[lane] + addLow;
  low[lane] = sum;
  high[lane] = high[lane] + addHigh + (sum > 0xffff_ffff ? 1 : 0);
};

/** The secret's word at any byte. */
const secretWord = (at: number): number =>
  secret[at] | (secret[at + 1] << 8) | (secret[at + 2] << 16) | (secret[at + 3] << 24);

const scramble = (low: Uint32Array, high: Uint32Array): void => {
  const secretAt = secret.length - stripeBytes;
  for (let lane = 0; lane < 8; lane++) {
    // value ^= value >> 47, then the secret, then × prime32a
    const mixedLow = (low[lane] ^ (high[lane] >>> 15) ^ secretWord(secretAt + 8 * lane)) >>> 0;
    const mixedHigh = (high[lane] ^ secretWord(secretAt + 8 * lane + 4)) >>> 0;
    const product = BigInt(mixedLow) * BigInt(prime32a);
    low[lane] = Number(product & 0xffff_ffffn);
    high[lane] = Number(product >> 32n) + Math.imul(mixedHigh, prime32a);
  }
};
