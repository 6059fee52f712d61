/**
 * Memory of large replies that have been sent, for those that follow. New memory for each page of a long walk would have the
 * garbage collector run for every few of them. Hot: bench `migrate`.
 */
const kept: Buffer[] = [];

/** Memory of at least `byteLength` bytes; what they are is not said. */
export const takeLargeMemory = (byteLength: number): Buffer => {
  const found = kept.findIndex((memory) => memory.length >= byteLength);
  return found < 0 ? Buffer.allocUnsafeSlow(byteLength) : kept.splice(found, 1)[0];
};

/** Gives memory back with a view of its bytes, when nobody else has one. */
export const giveBackLargeMemory = ({ buffer }: Buffer): void => {
  if (buffer.byteLength <= mostKeptBytes && kept.length < mostKept) kept.push(Buffer.from(buffer));
};

/** From so many bytes on memory is worth giving back. */
export const largeMemoryBytes = 256 * 1024;
const mostKeptBytes = 8 * 1024 * 1024;
const mostKept = 2;
