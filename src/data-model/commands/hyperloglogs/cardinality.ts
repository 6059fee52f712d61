import { registerCount } from '../../encoding/hyperloglog-encoding.js';

/** Bits of the hash that give a register's value; those below choose the register. */
const valueBits = 50;
const alphaInfinity = 0.7213475204444817;

/**
 * The estimate of Otmar Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017) from how
 * many registers have each value: the same numbers in the same order as Redis', so that both count alike.
 */
export const estimateCardinality = (histogram: readonly number[]): number => {
  const count = (value: number): number => histogram[value] ?? 0;
  let z = registerCount * tau((registerCount - count(valueBits + 1)) / registerCount);
  for (let value = valueBits; value >= 1; value--) z = (z + count(value)) * 0.5;
  z += registerCount * sigma(count(0) / registerCount);
  return Math.round((alphaInfinity * registerCount * registerCount) / z);
};

const tau = (start: number): number => {
  if (start === 0 || start === 1) return 0;
  let x = start;
  let y = 1;
  let z = 1 - x;
  for (let previous = Number.NaN; z !== previous; ) {
    x = Math.sqrt(x);
    previous = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
};

const sigma = (start: number): number => {
  if (start === 1) return Number.POSITIVE_INFINITY;
  let x = start;
  let y = 1;
  let z = x;
  for (let previous = Number.NaN; z !== previous; ) {
    x *= x;
    previous = z;
    z += x * y;
    y += y;
  }
  return z;
};
