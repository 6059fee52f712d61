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

/**
 * What the fields of a stream's entry may have together: they go as text, of an array or of JSON, which is longer, and the
 * server takes 256 MiB of JSON.
 */
const maxEntryBytes = 128 * 1024 * 1024;

/** Why no table takes the fields of an entry; undefined when they are not too many bytes. */
export const refusedEntryBytes = (bytes: number): string | undefined =>
  bytes > maxEntryBytes ? `the ${bytes} bytes of its fields are more than is sent as text` : undefined;

/** Bytes as the key of a Map: one character a byte. */
export const keyText = (bytes: Uint8Array): string =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).toString(
    'latin1',
  );

/** An entry of a B-tree holds at most a third of a page. Compression could make more fit, but not dependably. */
export const maxIndexedBytes = 2_600;
