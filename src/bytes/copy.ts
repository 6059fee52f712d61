/** A copy of the bytes from `start` to `end`; faster than copying a view. Owns what it returns. */
export const copyOf = (bytes: Buffer, start: number, end: number): Buffer => {
  const length = end - start;
  const copy = Buffer.allocUnsafe(length);
  if (length > longestLooped) bytes.copy(copy, 0, start, end);
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i];
  return copy;
};

/** Up to this length a loop is faster than a call. */
const longestLooped = 64;
