/**
 * Spreads keys that differ in any byte, except that the last three bits of a key are those of its hash: keys that
 * follow each other, as the elements of a list do, lie in one line of memory. Signed, as such numbers need no memory
 * of their own.
 */
export const hashKey = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = 0x811c9dc5 ^ (end - start);
  if (start === end) return hash;
  const last = bytes[end - 1];
  let i = start;
  for (const lastWord = end - 4; i < lastWord; i += 4) {
    const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < end - 1; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash = Math.imul(hash ^ (last >>> 3) ^ (hash >>> 13), 0x85ebca6b);
  return ((hash ^ (hash >>> 16)) & ~7) | (last & 7);
};

/** True for most pairs of keys that follow each other, false for nearly all others. */
export const mayBeNeighbours = (hash: number, other: number): boolean => (hash ^ other) >>> 3 === 0;
