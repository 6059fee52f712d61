import { readRegister, registerCount, registersPerSegment } from '../encoding/hyperloglog-encoding.js';

/**
 * Elements that raise the registers of a HyperLogLog's segment to what they are, for PFADD: the one way in which a store
 * of Kvrocks' types takes registers. They only ever grow, so that a segment that is added again changes nothing.
 *
 * Which register an element raises, and to what, its hash tells: the low 14 bits choose the register, and the place of the
 * first bit set behind them is the value. MurmurHash64A of eight bytes can be turned round, so for any register and value
 * there is an element with just that hash.
 *
 * @returns undefined when a register holds what no element gives
 */
export const elementsOf = (segment: number, registers: Uint8Array): Buffer[] | undefined => {
  const elements: Buffer[] = [];
  for (let place = 0; place < registersPerSegment; place++) {
    const value = readRegister(registers, place);
    if (value > largestValue) return undefined;
    if (value > 0) elements.push(elementOf(segment * registersPerSegment + place, value));
  }
  return elements;
};

const elementOf = (register: number, value: number): Buffer => {
  const at = value * registerCount + register;
  let element = known.get(at);
  if (element === undefined) {
    element = elementWithHash(hashOf(register, value));
    // A live HyperLogLog is written again and again with nearly the same registers.
    if (known.size < maxKnown) known.set(at, element);
  }
  return element;
};

const hashOf = (register: number, value: number): bigint =>
  BigInt(register) | (value === largestValue ? 0n : 1n << (registerBits + BigInt(value) - 1n));

/** MurmurHash64A backwards, from its last step to its first. */
const elementWithHash = (wanted: bigint): Buffer => {
  let hash = wanted ^ (wanted >> shift);
  hash = (hash * inverse) & mask;
  hash ^= hash >> shift;
  let block = ((hash * inverse) & mask) ^ begin;
  block = (block * inverse) & mask;
  block ^= block >> shift;
  block = (block * inverse) & mask;
  const element = Buffer.alloc(8);
  element.writeBigUInt64LE(block);
  return element;
};

const registerBits = 14n;
/** Where all 50 bits behind the register's are 0. */
const largestValue = 51;
const mask = 0xffff_ffff_ffff_ffffn;
const shift = 47n;
const multiplier = 0xc6a4a7935bd1e995n;
/** multiplier × inverse = 1 (mod 2^64) */
const inverse = 0x5f7a0ea7e59b19bdn;
const seed = 0xadc83b19n;
/** The hash before the first block, of eight bytes. */
const begin = seed ^ ((8n * multiplier) & mask);

const known = new Map<number, Buffer>();
const maxKnown = 100_000;
