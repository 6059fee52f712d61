/** Orders byte strings as RocksDB's bytewise comparator does: unsigned bytes, then the shorter first. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i] - b[i];
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
};

/** True when both have the same bytes. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && compareBytes(a, b) === 0;

/** True when the bytes from `start` to `end` begin with what `prefix` has from `from` on. */
export const startsWithAt = (
  bytes: Uint8Array,
  start: number,
  end: number,
  prefix: Uint8Array,
  from: number,
): boolean => {
  const length = prefix.length - from;
  if (end - start < length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== prefix[from + i]) return false;
  return true;
};

/**
 * The smallest byte string greater than every string that starts with `prefix`, or undefined when there is
 * none (the prefix is empty or all 0xFF). Owns what it returns.
 */
export const prefixSuccessor = (prefix: Uint8Array): Buffer | undefined => {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const successor = Buffer.from(prefix.subarray(0, length));
  successor[length - 1] = successor[length - 1] + 1;
  return successor;
};
