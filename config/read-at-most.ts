import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';

/**
 * A file or pipe as text, which a person wrote: some name a device that never ends, or a log, by mistake.
 * @throws RangeError for one of more bytes, or of another encoding, of which a part would silently be another text
 */
export const readAtMost = (path: string, largestBytes: number): string => {
  const file = openSync(path, 'r');
  try {
    const pieces: Buffer[] = [];
    let length = 0;
    for (;;) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const read = readSync(file, piece);
      if (read === 0) return requireUtf8(Buffer.concat(pieces));
      length += read;
      if (length > largestBytes) throw new RangeError(`the file is larger than ${largestBytes} bytes`);
      pieces.push(piece.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
};

const requireUtf8 = (bytes: Buffer): string => {
  const text = bytes.toString('utf8');
  if (isUtf8(bytes)) return text;
  const line = text.slice(0, text.indexOf('\ufffd')).split('\n').length;
  throw new RangeError(`line ${line} is not text in UTF-8`);
};

const pieceBytes = 64 * 1024;
