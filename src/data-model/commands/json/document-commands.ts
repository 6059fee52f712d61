import { optionWord } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, ok, type Reply, refusal, wrongArity } from '../reply.js';
import { JsonDocument, removeAt, setAt, valueAt } from './json-path.js';
import {
  jsonNote,
  notJson,
  parsePath,
  putJson,
  readJson,
  type StoredJson,
  setIn,
  writeJson,
} from './json-store.js';
import {
  copyJson,
  formatJson,
  type JsonLayout,
  type JsonObject,
  type JsonValue,
  parseJson,
} from './json-value.js';

/** `JSON.SET key path value [NX|XX]` */
const set = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const word = args.length === 5 ? optionWord(args[4]) : '';
  if (args.length > 5 || (args.length === 5 && word !== 'NX' && word !== 'XX')) return refusal.syntax;
  const path = parsePath(args[2]);
  if (path instanceof ErrorReply) return path;
  const value = parseJson(args[3]);
  if (value === undefined) return notJson;
  const stored = readJson(context, key);
  if (stored instanceof ErrorReply) return stored;
  const isThere = stored !== undefined && stored.document.find(path).length > 0;
  if ((word === 'NX' && isThere) || (word === 'XX' && !isThere)) return null;
  const result = setIn(stored, path, value);
  if (result instanceof ErrorReply) return result;
  if (!result.isSet) return null;
  return writeJson(context, key, result.root, stored?.expireMs ?? 0, ok);
};

/** `JSON.MSET key path value …`: written from the last to the first, as Kvrocks does. */
const mset = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if ((args.length - 1) % 3 !== 0) return wrongArity('json.mset');
  const roots = new Map<
    string,
    { readonly key: Buffer; readonly root: JsonValue; readonly expireMs: number }
  >();
  for (let i = 1; i < args.length; i += 3) {
    const key = args[i];
    const path = parsePath(args[i + 1]);
    if (path instanceof ErrorReply) return path;
    const value = parseJson(args[i + 2]);
    if (value === undefined) return notJson;
    const name = key.toString('latin1');
    const stored = readJson(context, key);
    if (stored instanceof ErrorReply) return stored;
    const result = setIn(latest(roots.get(name), stored), path, value);
    if (result instanceof ErrorReply) return result;
    roots.set(name, { key, root: result.root, expireMs: stored?.expireMs ?? 0 });
  }
  context.batch.logData(jsonNote);
  const replies = [...roots.values()]
    .reverse()
    .map(({ key, root, expireMs }) => putJson(context, key, root, expireMs, ok));
  return replies.find((reply) => reply instanceof ErrorReply) ?? ok;
};

const latest = (
  pending: { readonly root: JsonValue; readonly expireMs: number } | undefined,
  stored: StoredJson | undefined,
): StoredJson | undefined => {
  if (pending === undefined) return stored;
  return { document: new JsonDocument(pending.root), expireMs: pending.expireMs };
};

/** `JSON.GET key [INDENT i] [NEWLINE n] [SPACE s] [path …]` */
const get = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const layout: { -readonly [Name in keyof JsonLayout]: string } = { indent: '', newline: '', space: '' };
  let at = 2;
  for (; at + 1 < args.length; at += 2) {
    const word = optionWord(args[at]);
    const text = args[at + 1].toString();
    if (word === 'INDENT') layout.indent = text;
    else if (word === 'NEWLINE') layout.newline = text;
    else if (word === 'SPACE') layout.space = text;
    else break;
  }
  const stored = readJson(context, args[1]);
  if (stored === undefined) return null;
  if (stored instanceof ErrorReply) return stored;
  const words = args.slice(at);
  if (words.length === 0) return Buffer.from(formatJson(stored.document.root, layout));
  const found: JsonObject = new Map();
  for (const word of words) {
    const path = parsePath(word);
    if (path instanceof ErrorReply) return path;
    const values = stored.document.find(path).map(valueAt);
    if (path.isLegacy && values.length === 0) return new ErrorReply(`ERR Path '${word}' does not exist`);
    found.set(word.toString(), path.isLegacy ? (values[0] ?? null) : values);
  }
  const [only] = found.values();
  return Buffer.from(formatJson(words.length === 1 ? (only ?? null) : found, layout));
};

/** `JSON.MGET key … path` */
const mget = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const path = parsePath(args.at(-1));
  if (path instanceof ErrorReply) return path;
  return args.slice(1, -1).map((key) => {
    const stored = readJson(context, key);
    if (stored === undefined || stored instanceof ErrorReply) return null;
    const values = stored.document.find(path).map(valueAt);
    if (path.isLegacy && values.length === 0) return null;
    return Buffer.from(formatJson(path.isLegacy ? (values[0] ?? null) : values));
  });
};

/** `JSON.DEL key [path]`: the root takes the key with it. Answers how many values are gone. */
const del = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const path = parsePath(args[2]);
  if (path instanceof ErrorReply) return path;
  const stored = readJson(context, key);
  if (stored === undefined) return 0;
  if (stored instanceof ErrorReply) return stored;
  if (path.steps.length === 0) {
    context.batch.logData(jsonNote);
    context.deleteMetadata(key);
    return 1;
  }
  const places = stored.document.find(path).filter((place) => !stored.document.isRoot(place));
  // From the last to the first, so that the places of an array stay right.
  for (const place of [...places].reverse()) removeAt(place);
  if (places.length === 0) return 0;
  return writeJson(context, key, stored.document.root, stored.expireMs, places.length);
};

/** `JSON.MERGE key path value`, a merge patch (RFC 7396): null takes a name away, and what the path means. */
const merge = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const path = parsePath(args[2]);
  if (path instanceof ErrorReply) return path;
  const patch = parseJson(args[3]);
  if (patch === undefined) return notJson;
  const stored = readJson(context, key);
  if (stored instanceof ErrorReply) return stored;
  const places = stored?.document.find(path) ?? [];
  if (stored !== undefined && places.length > 0) {
    // From the last to the first, so that the places of an array stay right.
    for (const place of [...places].reverse()) {
      if (patch === null && !stored.document.isRoot(place)) removeAt(place);
      else setAt(place, patched(valueAt(place), patch));
    }
    return writeJson(context, key, stored.document.root, stored.expireMs, ok);
  }
  const result = setIn(stored, path, patched(null, patch));
  if (result instanceof ErrorReply) return result;
  if (!result.isSet) return null;
  return writeJson(context, key, result.root, stored?.expireMs ?? 0, ok);
};

const patched = (target: JsonValue, patch: JsonValue): JsonValue => {
  if (!(patch instanceof Map)) return copyJson(patch);
  const result: JsonObject = target instanceof Map ? target : new Map();
  for (const [name, value] of patch) {
    if (value === null) result.delete(name);
    else result.set(name, patched(result.get(name) ?? null, value));
  }
  return result;
};

export const jsonDocumentCommands: readonly DataCommand[] = [
  writeCommand('json.set', -4, oneKey, set),
  writeCommand('json.mset', -4, { first: 1, last: -1, step: 3 }, mset),
  readCommand('json.get', -2, oneKey, get),
  readCommand('json.mget', -3, { first: 1, last: -2, step: 1 }, mget),
  writeCommand('json.del', -2, oneKey, del),
  writeCommand('json.forget', -2, oneKey, del),
  writeCommand('json.merge', 4, oneKey, merge),
];
