import { type KeyPositions, noKeys } from '../../data-model/commands/index.js';
import type { ReplyWriter } from '../../resp/index.js';
import type { TableEntry } from '../command-table.js';
import { type KeyUse, keyUse } from './key-uses.js';

/** Where some keys of a call begin, how to find the others behind the first, and what the command does with them. */
interface KeySpec {
  readonly use: KeyUse;
  readonly begin: SpecPart;
  readonly find: SpecPart;
}

interface SpecPart {
  readonly type: string;
  readonly spec: Readonly<Record<string, number>>;
}

/** The key specifications of COMMAND INFO, as of Redis 7. */
export const writeKeySpecs = (reply: ReplyWriter, entry: TableEntry): void => {
  const specs = keySpecsOf(entry);
  reply.set(specs.length);
  for (const { use, begin, find } of specs) {
    reply.map(3);
    reply.bulkText('flags');
    reply.set(use.length);
    for (const flag of use) reply.simple(flag);
    writePart(reply, 'begin_search', begin);
    writePart(reply, 'find_keys', find);
  }
};

const writePart = (reply: ReplyWriter, name: string, { type, spec }: SpecPart): void => {
  reply.bulkText(name);
  reply.map(2);
  reply.bulkText('type');
  reply.bulkText(type);
  reply.bulkText('spec');
  const words = Object.entries(spec);
  reply.map(words.length);
  for (const [word, value] of words) {
    reply.bulkText(word);
    reply.integer(value);
  }
};

const keySpecsOf = ({ name, data, server }: TableEntry): KeySpec[] => {
  const keys: KeyPositions = data?.keys ?? server?.keys ?? noKeys;
  const specs: KeySpec[] = [];
  const useOf = (index: number): KeyUse => keyUse(name, data?.isWrite === true, index, []);
  const add = (begin: SpecPart, find: SpecPart): void => {
    specs.push({ use: useOf(specs.length), begin, find });
  };
  const { first, last, step, numbered } = keys;
  if (first > 0) {
    const isOne = last === first || useOf(0) === useOf(1);
    if (!isOne) add(atIndex(first), range(0, step));
    const next = isOne ? first : first + step;
    add(atIndex(next), range(last < 0 ? last : last - next, step));
  }
  if (numbered !== undefined) add(atIndex(numbered), counted(Math.max(1, step)));
  if (data?.keysOf !== undefined) add(unknown, unknown);
  return specs;
};

const atIndex = (index: number): SpecPart => ({ type: 'index', spec: { index } });
const range = (lastkey: number, keystep: number): SpecPart => ({
  type: 'range',
  spec: { lastkey, keystep, limit: 0 },
});
const counted = (keystep: number): SpecPart => ({
  type: 'keynum',
  spec: { keynumidx: 0, firstkey: 1, keystep },
});
/** For COMMAND GETKEYS to tell. */
const unknown: SpecPart = { type: 'unknown', spec: {} };
