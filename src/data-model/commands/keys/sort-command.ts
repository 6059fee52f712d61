import { copyOf } from '../../../bytes/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import { readScoreKey } from '../../encoding/zset-encoding.js';
import { optionWord, parseClamped, parseDouble } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { findHash, readField } from '../hashes/hash-value.js';
import { createList, findList } from '../lists/list-value.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { forEachSubKey } from '../sub-keys.js';

/** The options of `SORT key [BY p] [LIMIT offset count] [GET p …] [ASC|DESC] [ALPHA] [STORE target]`. */
interface SortOptions {
  readonly by: Buffer | undefined;
  readonly offset: number;
  readonly count: number;
  readonly gets: readonly Buffer[];
  readonly isDescending: boolean;
  readonly isAlpha: boolean;
  readonly target: Buffer | undefined;
}

const notDouble = new ErrorReply("ERR One or more scores can't be converted into double");

const parseSortOptions = (args: readonly Buffer[], mayStore: boolean): SortOptions | ErrorReply => {
  let by: Buffer | undefined;
  let offset = 0;
  let count = -1;
  const gets: Buffer[] = [];
  let isDescending = false;
  let isAlpha = false;
  let target: Buffer | undefined;
  for (let i = 2; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'ASC') isDescending = false;
    else if (word === 'DESC') isDescending = true;
    else if (word === 'ALPHA') isAlpha = true;
    else if (word === 'LIMIT' && i + 2 < args.length) {
      const from = parseClamped(args[++i]);
      const wanted = parseClamped(args[++i]);
      if (from === undefined || wanted === undefined) return refusal.notInteger;
      offset = Math.max(0, from);
      count = wanted;
    } else if (word === 'BY' && i + 1 < args.length) by = args[++i];
    else if (word === 'GET' && i + 1 < args.length) gets.push(args[++i]);
    else if (word === 'STORE' && mayStore && i + 1 < args.length) target = args[++i];
    else return refusal.syntax;
  }
  return { by, offset, count, gets, isDescending, isAlpha, target };
};

/** The elements of a list, set or sorted set, in their own order. Owned. */
const elementsOf = (context: CommandContext, key: Buffer): Buffer[] | ErrorReply => {
  const metadata = context.findAny(key);
  if (metadata === undefined) return [];
  if (metadata.type === 'list') {
    const list = findList(context, key);
    if (list === undefined || list instanceof ErrorReply) return list ?? [];
    return list.elements(list.head, list.tail - 1);
  }
  const elements: Buffer[] = [];
  const prefix = context.subKeyPrefix(key, metadata);
  if (metadata.type === 'set')
    forEachSubKey(context, ColumnFamily.subKeys, prefix, (bytes, start, end) => {
      elements.push(copyOf(bytes, start, end));
      return true;
    });
  else if (metadata.type === 'zset')
    forEachSubKey(context, ColumnFamily.scores, prefix, (bytes, start, end) => {
      const scored = readScoreKey(copyOf(bytes, start, end));
      if (scored !== undefined) elements.push(scored.member);
      return true;
    });
  else return refusal.wrongType;
  return elements;
};

/**
 * What a BY or GET pattern means for an element: `#` the element, `a*` the string of the key with the element in
 * the star's place, `a*->f` the field of a hash. Undefined when there is none.
 */
const lookUp = (context: CommandContext, pattern: Buffer, element: Buffer): Buffer | undefined => {
  if (pattern.toString('latin1') === '#') return element;
  const star = pattern.indexOf('*');
  if (star < 0) return undefined;
  const arrow = pattern.indexOf('->', star);
  const isField = arrow >= 0 && arrow + 2 < pattern.length;
  const keyEnd = isField ? arrow : pattern.length;
  const key = Buffer.concat([pattern.subarray(0, star), element, pattern.subarray(star + 1, keyEnd)]);
  if (isField) {
    const hash = findHash(context, key);
    if (hash === undefined || hash instanceof ErrorReply) return undefined;
    const value = readField(context, hash, pattern.subarray(arrow + 2));
    return value === undefined ? undefined : Buffer.from(value);
  }
  const metadata = context.findAny(key);
  return metadata?.type === 'string' ? Buffer.from(metadata.payload) : undefined;
};

interface Weighed {
  readonly element: Buffer;
  readonly text: Buffer | undefined;
  readonly weight: number;
}

const sortElements = (
  context: CommandContext,
  elements: readonly Buffer[],
  options: SortOptions,
): Buffer[] | ErrorReply => {
  const { by, isAlpha } = options;
  const direction = options.isDescending ? -1 : 1;
  if (by !== undefined && !by.includes('*')) return direction < 0 ? [...elements].reverse() : [...elements];
  const weighed: Weighed[] = [];
  for (const element of elements) {
    const text = by === undefined ? element : lookUp(context, by, element);
    const weight = isAlpha || text === undefined || text.length === 0 ? 0 : parseDouble(text);
    if (weight === undefined) return notDouble;
    weighed.push({ element, text, weight });
  }
  const order = isAlpha ? byText : byWeight;
  return weighed.sort((a, b) => direction * order(a, b)).map(({ element }) => element);
};

const byWeight = (a: Weighed, b: Weighed): number =>
  a.weight === b.weight ? Buffer.compare(a.element, b.element) : a.weight < b.weight ? -1 : 1;

/** Elements without a text come first. */
const byText = (a: Weighed, b: Weighed): number => {
  if (a.text === undefined || b.text === undefined)
    return Number(a.text !== undefined) - Number(b.text !== undefined);
  return Buffer.compare(a.text, b.text);
};

const sort =
  (mayStore: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const options = parseSortOptions(args, mayStore);
    if (options instanceof ErrorReply) return options;
    const elements = elementsOf(context, args[1]);
    if (elements instanceof ErrorReply) return elements;
    const sorted = sortElements(context, elements, options);
    if (sorted instanceof ErrorReply) return sorted;
    const end = options.count < 0 ? sorted.length : options.offset + options.count;
    const chosen = sorted.slice(options.offset, end);
    const found =
      options.gets.length === 0
        ? chosen
        : chosen.flatMap((element) =>
            options.gets.map((pattern) => lookUp(context, pattern, element) ?? null),
          );
    return options.target === undefined ? found : store(context, options.target, found);
  };

const store = (context: CommandContext, key: Buffer, elements: readonly (Buffer | null)[]): number => {
  if (elements.length === 0) {
    if (context.findAny(key) !== undefined) {
      context.batch.logData(encodeLogData(undefined));
      context.deleteMetadata(key);
    }
    return 0;
  }
  context.batch.logData(encodeLogData('list', LogCommand.rpush));
  const list = createList(context, key);
  for (const element of elements) list.push('right', element ?? noBytes);
  list.putMetadata();
  return elements.length;
};

/** The key, and the target if there is one. */
const sortKeys = (args: readonly Buffer[]): Buffer[] => {
  const options = parseSortOptions(args, true);
  const target = options instanceof ErrorReply ? undefined : options.target;
  return target === undefined ? [args[1]] : [args[1], target];
};

const noBytes = Buffer.alloc(0);

export const sortCommands: readonly DataCommand[] = [
  { ...writeCommand('sort', -2, oneKey, sort(true)), keysOf: sortKeys },
  readCommand('sort_ro', -2, oneKey, sort(false)),
];
