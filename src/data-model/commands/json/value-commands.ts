import { optionWord, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { doubleReply, ErrorReply, mapReply, type Reply, refusal, wrongArity } from '../reply.js';
import { type JsonPlace, setAt } from './json-path.js';
import { atPath, notJson, readJson } from './json-store.js';
import {
  equalJson,
  formatJson,
  inInt64,
  type JsonArray,
  type JsonValue,
  jsonType,
  parseJson,
} from './json-value.js';

/** A command that reads each value at the path in `args[2]`. */
const reads =
  (show: (value: JsonValue) => Reply) =>
  (context: CommandContext, args: readonly Buffer[]): Reply =>
    atPath(context, args, 2, false, show);

/** A command that changes each value at the path in `args[2]`; null = left alone. */
const changes =
  (change: (value: JsonValue, place: JsonPlace) => Reply) =>
  (context: CommandContext, args: readonly Buffer[]): Reply =>
    atPath(context, args, 2, true, change);

const lengthOf =
  (kind: 'string' | 'array' | 'object') =>
  (value: JsonValue): Reply => {
    if (kind === 'string') return typeof value === 'string' ? Buffer.byteLength(value) : null;
    if (kind === 'array') return Array.isArray(value) ? value.length : null;
    return value instanceof Map ? value.size : null;
  };

const objectKeys = (value: JsonValue): Reply =>
  value instanceof Map ? [...value.keys()].map((name) => Buffer.from(name)) : null;

/** A value as replies: arrays and objects start with their bracket, other values are as in Redis' module. */
const asReply = (value: JsonValue): Reply => {
  if (value === null || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Buffer.from(formatJson(value));
  if (typeof value === 'string') return Buffer.from(value);
  if (Array.isArray(value)) return ['[', ...value.map(asReply)];
  return ['{', ...[...value].flatMap(([name, item]) => [Buffer.from(name), asReply(item)])];
};

/** `JSON.INFO key`: documents are kept as text. */
const info = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const stored = readJson(context, args[1]);
  if (stored === undefined) return refusal.noSuchKey;
  return stored instanceof ErrorReply
    ? stored
    : mapReply([Buffer.from('storage_format'), Buffer.from('json')]);
};

/** `JSON.DEBUG MEMORY key [path]`: the bytes of the text of each value. */
const debug = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (optionWord(args[1]) !== 'MEMORY' || args.length < 3 || args.length > 4) return wrongArity('json.debug');
  const sizes = atPath(context, args.slice(1), 2, false, (value) => Buffer.byteLength(formatJson(value)));
  return sizes ?? (args.length === 3 ? 0 : []);
};

const toggle = changes((value, place) => {
  if (typeof value !== 'boolean') return null;
  setAt(place, !value);
  return value ? 0 : 1;
});

/** Empties arrays and objects, sets numbers to 0; answers how many were changed. */
const clear = (context: CommandContext, args: readonly Buffer[]): Reply => {
  let cleared = 0;
  const reply = atPath(context, args, 2, true, (value, place) => {
    const empty = emptyOf(value);
    if (empty === undefined || equalJson(value, empty)) return null;
    setAt(place, empty);
    cleared++;
    return 1;
  });
  return reply instanceof ErrorReply ? reply : cleared;
};

const emptyOf = (value: JsonValue): JsonValue | undefined => {
  if (Array.isArray(value)) return [];
  if (value instanceof Map) return new Map();
  return typeof value === 'bigint' || typeof value === 'number' ? 0n : undefined;
};

/** `JSON.NUMINCRBY key path n`: answers the new numbers as JSON text. */
const calculate =
  (operation: 'add' | 'multiply') =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const operand = parseJson(args[3]);
    if (typeof operand !== 'bigint' && typeof operand !== 'number') return refusal.notFloat;
    const results: JsonValue[] = [];
    const reply = atPath(context, args, 2, true, (value, place) => {
      const isNumber = typeof value === 'bigint' || typeof value === 'number';
      const result = isNumber ? combine(operation, value, operand) : null;
      if (typeof result === 'number' && !Number.isFinite(result))
        return new ErrorReply('ERR the result is an infinite number');
      results.push(result);
      if (result === null) return null;
      setAt(place, result);
      return 1;
    });
    if (reply instanceof ErrorReply) return reply;
    results.reverse(); // they were visited from the last to the first
    return {
      kind: 'byProtocol',
      resp2: Buffer.from(formatJson(Array.isArray(reply) ? results : (results[0] ?? null))),
      resp3: results.map(numberReply),
    };
  };

const numberReply = (value: JsonValue): Reply =>
  typeof value === 'number' ? doubleReply(value) : typeof value === 'bigint' ? value : null;

const combine = (operation: 'add' | 'multiply', a: bigint | number, b: bigint | number): bigint | number => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return inInt64(operation === 'add' ? a + b : a * b);
  return operation === 'add' ? Number(a) + Number(b) : Number(a) * Number(b);
};

/** `JSON.STRAPPEND key [path] "text"` */
const strappend = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length > 4) return refusal.syntax;
  const tail = parseJson(args.at(-1) as Buffer);
  if (typeof tail !== 'string') return notJson;
  return atPath(context, args.slice(0, -1), 2, true, (value, place) => {
    if (typeof value !== 'string') return null;
    setAt(place, value + tail);
    return Buffer.byteLength(value + tail);
  });
};

const parseValues = (words: readonly Buffer[]): JsonArray | ErrorReply => {
  const values: JsonArray = [];
  for (const word of words) {
    const value = parseJson(word);
    if (value === undefined) return notJson;
    values.push(value);
  }
  return values;
};

const arrappend = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const values = parseValues(args.slice(3));
  if (values instanceof ErrorReply) return values;
  return atPath(context, args, 2, true, (value) =>
    Array.isArray(value) ? insertAt(value, value.length, values) : null,
  );
};

/** Not by spreading, which is bounded by the stack. Answers how many there are now. */
const insertAt = (array: JsonArray, at: number, values: JsonArray): number => {
  const behind = array.splice(at);
  for (const value of values) array.push(value);
  for (const value of behind) array.push(value);
  return array.length;
};

/** `JSON.ARRINSERT key path index value …` */
const arrinsert = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const index = parseInteger(args[3]);
  if (index === undefined) return refusal.notInteger;
  const values = parseValues(args.slice(4));
  if (values instanceof ErrorReply) return values;
  return atPath(context, args, 2, true, (value) => {
    if (!Array.isArray(value)) return null;
    const at = index < 0 ? value.length + index : index;
    if (at < 0 || at > value.length) return refusal.indexOutOfRange;
    return insertAt(value, at, values);
  });
};

/** `JSON.ARRPOP key [path [index]]` */
const arrpop = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const index = args[3] === undefined ? -1 : parseInteger(args[3]);
  if (index === undefined) return refusal.notInteger;
  return atPath(context, args, 2, true, (value) => {
    if (!Array.isArray(value) || value.length === 0) return null;
    const at = Math.max(0, Math.min(value.length - 1, index < 0 ? value.length + index : index));
    return Buffer.from(formatJson(value.splice(at, 1)[0] ?? null));
  });
};

/** `JSON.ARRTRIM key path start stop` */
const arrtrim = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const start = parseInteger(args[3]);
  const stop = parseInteger(args[4]);
  if (start === undefined || stop === undefined) return refusal.notInteger;
  return atPath(context, args, 2, true, (value) => {
    if (!Array.isArray(value)) return null;
    const from = Math.max(0, start < 0 ? value.length + start : start);
    const to = Math.min(value.length - 1, stop < 0 ? value.length + stop : stop);
    value.splice(Math.max(from, to + 1));
    value.splice(0, from);
    return value.length;
  });
};

/** `JSON.ARRINDEX key path value [start [stop]]`: −1 when the value is not in the array. */
const arrindex = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const wanted = parseJson(args[3]);
  if (wanted === undefined) return notJson;
  const start = args[4] === undefined ? 0 : parseInteger(args[4]);
  const stop = args[5] === undefined ? 0 : parseInteger(args[5]);
  if (start === undefined || stop === undefined) return refusal.notInteger;
  return atPath(context, args, 2, false, (value) => {
    if (!Array.isArray(value)) return null;
    const from = Math.max(0, start < 0 ? value.length + start : start);
    const end = stop === 0 ? value.length : stop < 0 ? value.length + stop : Math.min(stop, value.length);
    for (let at = from; at < end; at++) if (equalJson(value[at] ?? null, wanted)) return at;
    return -1;
  });
};

/** `JSON.TYPE key [path]`: since RESP3 in a list of its own. */
const type = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const resp2 = typesAt(context, args);
  return resp2 instanceof ErrorReply ? resp2 : { kind: 'byProtocol', resp2, resp3: [resp2] };
};

const typesAt = reads((value) => Buffer.from(jsonType(value)));

export const jsonValueCommands: readonly DataCommand[] = [
  readCommand('json.type', -2, oneKey, type),
  readCommand('json.info', 2, oneKey, info),
  readCommand('json.debug', -3, { first: 2, last: 2, step: 1 }, debug),
  readCommand('json.resp', -2, oneKey, reads(asReply)),
  readCommand('json.strlen', -2, oneKey, reads(lengthOf('string'))),
  readCommand('json.arrlen', -2, oneKey, reads(lengthOf('array'))),
  readCommand('json.objlen', -2, oneKey, reads(lengthOf('object'))),
  readCommand('json.objkeys', -2, oneKey, reads(objectKeys)),
  readCommand('json.arrindex', -4, oneKey, arrindex),
  writeCommand('json.toggle', -2, oneKey, toggle),
  writeCommand('json.clear', -2, oneKey, clear),
  writeCommand('json.numincrby', 4, oneKey, calculate('add')),
  writeCommand('json.nummultby', 4, oneKey, calculate('multiply')),
  writeCommand('json.strappend', -3, oneKey, strappend),
  writeCommand('json.arrappend', -4, oneKey, arrappend),
  writeCommand('json.arrinsert', -5, oneKey, arrinsert),
  writeCommand('json.arrpop', -2, oneKey, arrpop),
  writeCommand('json.arrtrim', 5, oneKey, arrtrim),
];
