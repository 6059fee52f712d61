import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeLogData } from '../../encoding/log-data.js';
import {
  isStringAt,
  readExpiryAt,
  singleValueHeaderBytes,
  writeMetadataHeader,
} from '../../encoding/metadata.js';
import { TypeNumber } from '../../encoding/type-number.js';
import type { CommandContext } from '../command-context.js';
import { type ErrorReply, refusal } from '../reply.js';

/** Redis' limit on the length of a string. */
export const maxStringBytes = 512 * 1024 * 1024;

export const stringNote = encodeLogData('string');

/**
 * Finds a string that lives, in the current layout: its expiry is returned, and `context.place` is where its bytes lie, until
 * the next read or write.
 * Undefined for whatever else there is, or is not: `findAny` tells. Hot: INCR.
 */
export const locateString = (context: CommandContext, key: Uint8Array): number | undefined => {
  const { place } = context;
  if (!context.locate(ColumnFamily.metadata, context.metadataKey(key))) return undefined;
  if (!isStringAt(place.bytes, place.start, place.end)) return undefined;
  const expireMs = readExpiryAt(place.bytes, place.start);
  if (expireMs !== 0 && !(expireMs >= context.nowMs())) return undefined;
  place.start += singleValueHeaderBytes;
  return expireMs;
};

/** The string's bytes; undefined when there is no key. Borrowed. */
export const readString = (context: CommandContext, key: Uint8Array): Buffer | undefined | ErrorReply => {
  const metadata = context.findAny(key);
  if (metadata === undefined) return undefined;
  return metadata.type === 'string' ? metadata.payload : refusal.wrongType;
};

/** Puts the whole string; expire 0 = never. The caller has put the note before. */
export const putString = (
  context: CommandContext,
  key: Uint8Array,
  value: Uint8Array,
  expireMs: number,
): void => {
  let header = neverExpires;
  if (expireMs !== 0) {
    header = expires;
    writeMetadataHeader(expires, TypeNumber.string, expireMs);
  }
  context.putSingleValue(key, header, value);
};

/** The note and the string, as one command writes them. */
export const writeString = (
  context: CommandContext,
  key: Uint8Array,
  value: Uint8Array,
  expireMs: number,
): void => {
  context.batch.logData(stringNote);
  putString(context, key, value, expireMs);
};

const neverExpires = Buffer.alloc(singleValueHeaderBytes);
writeMetadataHeader(neverExpires, TypeNumber.string, 0);
/** Scratch: the batch copies it before anyone else can write it. */
const expires = Buffer.alloc(singleValueHeaderBytes);
