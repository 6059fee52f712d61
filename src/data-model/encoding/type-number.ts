import type { ValueType } from '../change.js';

/** Kvrocks' type numbers, in their order from 1: the low four bits of a metadata value, and the first word of a LogData. */
export const TypeNumber = {
  string: 1,
  hash: 2,
  list: 3,
  set: 4,
  zset: 5,
  bitmap: 6,
  sortedint: 7,
  stream: 8,
  bloom: 9,
  json: 10,
  hyperloglog: 11,
  tdigest: 12,
  timeseries: 13,
} as const satisfies Record<ValueType, number>;

export type TypeNumber = (typeof TypeNumber)[ValueType];

/** Every type that a key can have. */
export const valueTypes = Object.keys(TypeNumber) as readonly ValueType[];

const typeByNumber: readonly (ValueType | undefined)[] = [undefined, ...valueTypes];

/** The type of a number, or undefined when no type has it. */
export const typeOfNumber = (number: number): ValueType | undefined => typeByNumber[number];

/** Types whose keys hold their whole value in the metadata entry: no version, no size, no sub-keys. */
export const isSingleValueType = (type: ValueType): boolean => type === 'string' || type === 'json';

/**
 * Types of which a key exists even when its size is 0. Of every other type a key without elements is no key,
 * although its metadata entry stays.
 */
export const mayBeEmpty = (type: ValueType): boolean =>
  type === 'string' ||
  type === 'json' ||
  type === 'stream' ||
  type === 'bloom' ||
  type === 'hyperloglog' ||
  type === 'tdigest' ||
  type === 'timeseries';
