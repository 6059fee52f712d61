import { encodeLogData } from '../../encoding/log-data.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { JsonDocument, type JsonPath, type JsonPlace, parseJsonPath, valueAt } from './json-path.js';
import { formatJson, isReadable, type JsonValue, parseJson } from './json-value.js';

/**
 * How documents are stored: metadata's payload is `format u8 | document`, format 0 = JSON text (1 = CBOR, which
 * is not read here).
 */
const textFormat = 0;

export const jsonNote = encodeLogData('json');

export const notJson = new ErrorReply('ERR invalid JSON text');
const badPath = new ErrorReply('ERR invalid or unsupported JSON path');
const tooDeep = new ErrorReply('ERR the document would be nested too deep');
const notRoot = new ErrorReply('ERR new objects must be created at the root');

export interface StoredJson {
  readonly document: JsonDocument;
  readonly expireMs: number;
}

/** The document; undefined when there is no such key. */
export const readJson = (context: CommandContext, key: Buffer): StoredJson | undefined | ErrorReply => {
  const metadata = context.find(key, 'json');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  if (metadata.payload[0] !== textFormat)
    return new ErrorReply('ERR the document is stored in a format that is not supported');
  const root = parseJson(metadata.payload.subarray(1));
  if (root === undefined) return new ErrorReply('ERR the stored document is damaged');
  return { document: new JsonDocument(root), expireMs: metadata.expireMs };
};

/** Puts the document and answers `reply`; a refusal when it would be nested too deep. The caller has put the note. */
export const putJson = (
  context: CommandContext,
  key: Buffer,
  root: JsonValue,
  expireMs: number,
  reply: Reply,
): Reply => {
  if (!isReadable(root)) return tooDeep;
  context.putMetadata(key, {
    type: 'json',
    expireMs,
    version: noBytes,
    size: 0,
    payload: Buffer.concat([Buffer.of(textFormat), Buffer.from(formatJson(root))]),
  });
  return reply;
};

export const writeJson = (
  context: CommandContext,
  key: Buffer,
  root: JsonValue,
  expireMs: number,
  reply: Reply,
): Reply => {
  context.batch.logData(jsonNote);
  return putJson(context, key, root, expireMs, reply);
};

export const parsePath = (word: Buffer | undefined): JsonPath | ErrorReply => {
  const path = parseJsonPath(word ?? rootPath);
  return path ?? badPath;
};

/** A new document may only be set at its root. */
export const setIn = (
  stored: StoredJson | undefined,
  path: JsonPath,
  value: JsonValue,
): { readonly root: JsonValue; readonly isSet: boolean } | ErrorReply => {
  if (path.steps.length === 0) return { root: value, isSet: true };
  if (stored === undefined) return notRoot;
  const isSet = stored.document.set(path, () => value) > 0;
  return { root: stored.document.root, isSet };
};

/**
 * Runs `visit` on each value that the path (the argument at `at`, the root without it) means and answers the
 * results, one for each match; the one result for a path of the older kind. With `changes`, the document is
 * written when `visit` changed something (answered other than null).
 */
export const atPath = (
  context: CommandContext,
  args: readonly Buffer[],
  at: number,
  changes: boolean,
  visit: (value: JsonValue, place: JsonPlace) => Reply,
): Reply => {
  const key = args[1];
  const path = parsePath(args[at]);
  if (path instanceof ErrorReply) return path;
  const stored = readJson(context, key);
  if (stored === undefined) return changes ? refusal.noSuchKey : null;
  if (stored instanceof ErrorReply) return stored;
  // From the last to the first, so that what a change moves is not looked for where it was.
  const visited = stored.document.find(path).reverse();
  const results = visited.map((place) => visit(valueAt(place), place)).reverse();
  const refused = results.find((result) => result instanceof ErrorReply);
  if (refused !== undefined) return refused;
  const reply = path.isLegacy ? (results[0] ?? null) : results;
  return changes && results.some((result) => result !== null)
    ? writeJson(context, key, stored.document.root, stored.expireMs, reply)
    : reply;
};

const rootPath = Buffer.from('$');
const noBytes = Buffer.alloc(0);
