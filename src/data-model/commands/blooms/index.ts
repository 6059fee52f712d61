import { optionWord, parseDouble, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { booleanReply, ErrorReply, mapReply, ok, type Reply, refusal, wrongArity } from '../reply.js';
import {
  addItems,
  capacityOf,
  containsItems,
  createChain,
  defaultShape,
  type FilterShape,
  findChain,
} from './bloom-chain.js';

const parseErrorRate = (word: Buffer): number | ErrorReply => {
  const errorRate = parseDouble(word);
  if (errorRate === undefined) return new ErrorReply('ERR bad error rate');
  return errorRate > 0 && errorRate < 1 ? errorRate : new ErrorReply('ERR (0 < error rate range < 1)');
};

const parseCapacity = (word: Buffer): number | ErrorReply => {
  const capacity = parseInteger(word);
  if (capacity === undefined || capacity > 0xffff_ffff) return new ErrorReply('ERR bad capacity');
  return capacity >= 1 ? capacity : new ErrorReply('ERR (capacity should be larger than 0)');
};

const parseExpansion = (word: Buffer): number | ErrorReply => {
  const expansion = parseInteger(word);
  const isGood = expansion !== undefined && expansion >= 1 && expansion <= 0xffff;
  return isGood ? expansion : new ErrorReply('ERR bad expansion');
};

/** `BF.RESERVE key error capacity [EXPANSION n] [NONSCALING]` */
const reserve = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const errorRate = parseErrorRate(args[2]);
  if (errorRate instanceof ErrorReply) return errorRate;
  const capacity = parseCapacity(args[3]);
  if (capacity instanceof ErrorReply) return capacity;
  let { expansion } = defaultShape;
  for (let i = 4; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'NONSCALING') expansion = 0;
    else if (word === 'EXPANSION' && args[i + 1] !== undefined) {
      const wanted = parseExpansion(args[++i]);
      if (wanted instanceof ErrorReply) return wanted;
      expansion = wanted;
    } else return refusal.syntax;
  }
  const key = args[1];
  const found = findChain(context, key);
  if (found instanceof ErrorReply) return found;
  if (found !== undefined) return new ErrorReply('ERR the key already exists');
  createChain(context, key, { errorRate, capacity, expansion });
  return ok;
};

const add = (context: CommandContext, args: readonly Buffer[]): Reply =>
  addItems(context, args[1], args.slice(2), defaultShape);

/** `BF.INSERT key [CAPACITY n] [ERROR rate] [EXPANSION n] [NOCREATE] [NONSCALING] ITEMS item …` */
const insert = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const itemsAt = args.findIndex((word, i) => i > 1 && optionWord(word) === 'ITEMS') + 1;
  const options = parseInsertOptions(args.slice(2, Math.max(2, itemsAt - 1)));
  if (options instanceof ErrorReply) return options;
  if (itemsAt === 0) return refusal.syntax;
  if (itemsAt === args.length) return new ErrorReply('ERR num of items should be greater than 0');
  return addItems(context, args[1], args.slice(itemsAt), options.creates ? options.shape : undefined);
};

const parseInsertOptions = (
  words: readonly Buffer[],
): { readonly shape: FilterShape; readonly creates: boolean } | ErrorReply => {
  let { errorRate, capacity, expansion }: { -readonly [Part in keyof FilterShape]: number } = defaultShape;
  let creates = true;
  let isFixed = false;
  let isExpanding = false;
  for (let i = 0; i < words.length; i++) {
    const word = optionWord(words[i]);
    if (word === 'NOCREATE') creates = false;
    else if (word === 'NONSCALING') isFixed = true;
    else {
      const parse = insertNumbers[word];
      const text = words[++i];
      if (parse === undefined || text === undefined) return refusal.syntax;
      const value = parse(text);
      if (value instanceof ErrorReply) return value;
      if (word === 'ERROR') errorRate = value;
      else if (word === 'CAPACITY') capacity = value;
      else {
        expansion = value;
        isExpanding = true;
      }
    }
  }
  if (isFixed && isExpanding) return new ErrorReply('ERR nonscaling filters cannot expand');
  return { shape: { errorRate, capacity, expansion: isFixed ? 0 : expansion }, creates };
};

const insertNumbers: Readonly<Record<string, (word: Buffer) => number | ErrorReply>> = {
  CAPACITY: parseCapacity,
  ERROR: parseErrorRate,
  EXPANSION: parseExpansion,
};

const first = (reply: Reply): Reply => (Array.isArray(reply) ? (reply[0] ?? 0) : reply);

const exists = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const stored = findChain(context, key);
  if (stored instanceof ErrorReply) return stored;
  const found = containsItems(context, key, stored, args.slice(2));
  return found instanceof ErrorReply ? found : found.map(booleanReply);
};

const card = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const stored = findChain(context, args[1]);
  if (stored instanceof ErrorReply) return stored;
  return stored?.metadata.size ?? 0;
};

/** `BF.INFO key [CAPACITY|SIZE|FILTERS|ITEMS|EXPANSION]` */
const info = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length > 3) return wrongArity('bf.info');
  const wanted = args[2] === undefined ? undefined : infoTitles.get(optionWord(args[2]));
  if (args[2] !== undefined && wanted === undefined) return new ErrorReply('ERR Invalid info argument');
  const stored = findChain(context, args[1]);
  if (stored === undefined) return new ErrorReply('ERR key is not found');
  if (stored instanceof ErrorReply) return stored;
  const { chain, metadata } = stored;
  const facts = new Map<string, Reply>([
    ['Capacity', capacityOf(chain)],
    ['Size', chain.filterBytes],
    ['Number of filters', chain.filterCount],
    ['Number of items inserted', metadata.size],
    ['Expansion rate', chain.expansion === 0 ? null : chain.expansion],
  ]);
  if (wanted !== undefined) return facts.get(wanted) ?? null;
  return mapReply([...facts].flatMap(([title, value]) => [Buffer.from(title), value]));
};

const infoTitles: ReadonlyMap<string, string> = new Map([
  ['CAPACITY', 'Capacity'],
  ['SIZE', 'Size'],
  ['FILTERS', 'Number of filters'],
  ['ITEMS', 'Number of items inserted'],
  ['EXPANSION', 'Expansion rate'],
]);

/** Commands on Bloom filters. */
export const bloomCommands: readonly DataCommand[] = [
  writeCommand('bf.reserve', -4, oneKey, reserve),
  writeCommand('bf.add', 3, oneKey, (context, args) => first(add(context, args))),
  writeCommand('bf.madd', -3, oneKey, add),
  writeCommand('bf.insert', -4, oneKey, insert),
  readCommand('bf.exists', 3, oneKey, (context, args) => first(exists(context, args))),
  readCommand('bf.mexists', -3, oneKey, exists),
  readCommand('bf.card', 2, oneKey, card),
  readCommand('bf.info', -2, oneKey, info),
];
