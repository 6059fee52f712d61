/**
 * The name of a command as bytes of its own, the same ones for each command of that name: clients use few names, and a
 * view of each that arrives costs more than this. Borrowed from `bytes` where it is a rare one. Never to be written.
 * Hot: bench `server`.
 */
export const commandName = (bytes: Buffer, start: number, end: number): Buffer => {
  const length = end - start;
  if (length === 0 || length > longestBytes) return bytes.subarray(start, end);
  const slot = (bytes[start] * 5 + bytes[start + (length >>> 1)] * 3 + bytes[end - 1] + length) % slots;
  const known = names[slot];
  if (known === undefined) {
    const name = Buffer.from(bytes.subarray(start, end));
    names[slot] = name;
    return name;
  }
  if (known.length !== length) return bytes.subarray(start, end);
  for (let i = 0; i < length; i++) if (known[i] !== bytes[start + i]) return bytes.subarray(start, end);
  return known;
};

/** Whoever comes first has a slot for good: what is not a command can take slots, but no more than these. */
const slots = 509;
const longestBytes = 32;
const names: (Buffer | undefined)[] = Array.from({ length: slots }, () => undefined);
