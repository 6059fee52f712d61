import { readU32, writeU32 } from '../../bytes/index.js';

/**
 * Sub-keys and values as KeyRecordsWriter writes them:
 *
 *   short (< 64 bytes) := 0x80 + length u8 · bytes · 1 + length u8
 *   long               := 0xf0 · length u32 LE · bytes
 *
 * A short one is an entry of a Redis listpack, so that a hash of short ones is copied into the dump of that hash by the key,
 * not by the word. Hot: bench `migrate`.
 */
export const writeWord = (
  target: Buffer,
  offset: number,
  source: Buffer,
  start: number,
  end: number,
): number => {
  const length = end - start;
  let at = offset;
  if (length > maxShortBytes) {
    target[at] = longWord;
    writeU32(target, at + 1, length);
    source.copy(target, at + 5, start, end);
    return at + 5 + length;
  }
  target[at++] = shortWord | length;
  for (let i = start; i < end; i++) target[at++] = source[i];
  target[at++] = length + 1;
  return at;
};

/** What stands around the bytes, at most. */
export const maxWordFrameBytes = 5;

/** Where a word lies: its bytes from `start` to `end`, and behind it `next`. */
export interface WordPlace {
  start: number;
  end: number;
  next: number;
}

/** Finds the word that begins at `offset` and ends at `limit` at the latest; false when none does. */
export const locateWord = (bytes: Buffer, offset: number, limit: number, place: WordPlace): boolean => {
  if (offset >= limit) return false;
  const head = bytes[offset];
  if ((head & shortMask) === shortWord) {
    const end = offset + 1 + (head & maxShortBytes);
    if (end >= limit || bytes[end] !== end - offset) return false;
    place.start = offset + 1;
    place.end = end;
    place.next = end + 1;
    return true;
  }
  if (head !== longWord || limit - offset < 5) return false;
  place.start = offset + 5;
  place.end = place.next = place.start + readU32(bytes, offset + 1);
  return place.end <= limit;
};

/** True when all words between the two are short. They are known to be words. */
export const areShortWords = (bytes: Buffer, start: number, end: number): boolean => {
  let at = start;
  while (at < end) {
    const head = bytes[at];
    if ((head & shortMask) !== shortWord) return false;
    at += 2 + (head & maxShortBytes);
  }
  return true;
};

const maxShortBytes = 0x3f;
const shortMask = 0xc0;
const shortWord = 0x80;
const longWord = 0xf0;
