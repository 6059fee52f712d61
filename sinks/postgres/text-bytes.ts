import { isUtf8 } from 'node:buffer';

/** How byte strings stand in a column. */
export type ByteColumn = 'text' | 'bytea';

/** True when Postgres takes the bytes as text: UTF-8 without NUL. Hot; measured by bench `postgres-sink`. */
export const isText = (bytes: Uint8Array): boolean => {
  const { length } = bytes;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at];
    if (byte === 0) return false;
    if (byte >= 0x80) return isUtf8(bytes) && !bytes.includes(0, at);
  }
  return true;
};

/** What a row may have at most: the server takes less than 1 GiB for it, all columns together. */
export const maxRowBytes = 0x4000_0000 - 64 * 1024;

/** Bytes as the key of a Map: one character a byte. */
export const keyText = (bytes: Uint8Array): string =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).toString(
    'latin1',
  );

/** An entry of a B-tree holds at most a third of a page. Compression could make more fit, but not dependably. */
export const maxIndexedBytes = 2_600;
