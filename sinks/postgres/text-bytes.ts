import { isUtf8 } from 'node:buffer';

/** How byte strings stand in a column. */
export type ByteColumn = 'text' | 'bytea';

/** True when Postgres takes the bytes as text: UTF-8 without NUL. Hot; measured by bench `postgres-sink`. */
export const isText = (bytes: Uint8Array): boolean => isTextAt(bytes, 0, bytes.length);

/** The same of a part. */
export const isTextAt = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte !== 0 && byte < 0x80) continue;
    const rest = bytes.subarray(at, end);
    return byte !== 0 && isUtf8(rest) && !rest.includes(0);
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
