import { closeSync, openSync, readSync } from 'node:fs';

/**
 * A file or pipe as text, which a person wrote: some name a device that never ends, or a log, by mistake.
 * @throws RangeError for one of more bytes
 */
export const readAtMost = (path: string, largestBytes: number): string => {
  const file = openSync(path, 'r');
  try {
    const pieces: Buffer[] = [];
    let length = 0;
    for (;;) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const read = readSync(file, piece);
      if (read === 0) return Buffer.concat(pieces).toString('utf8');
      length += read;
      if (length > largestBytes) throw new RangeError(`the file is larger than ${largestBytes} bytes`);
      pieces.push(piece.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
};

const pieceBytes = 64 * 1024;
