import { optionWord, parseClamped, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { allKeys, type DataCommand, numberedKeys, readCommand, writeCommand } from '../data-command.js';
import { mergeSorted } from '../merge-sorted.js';
import { ErrorReply, type Reply, refusal, setReply } from '../reply.js';
import { findSet, hasMember, membersOf, type SetValue, storeSet } from './set-value.js';

type Combine = (context: CommandContext, sets: readonly (SetValue | undefined)[]) => Buffer[];

/** The members of all sets, in the order of their bytes. */
const union: Combine = (context, sets) =>
  sets
    .map((set) => membersOf(context, set))
    .reduce((union, members) => mergeSorted(union, members, Buffer.compare, (member) => member));

/** The members of the first set that no other has. */
const difference: Combine = (context, sets) => {
  const others = sets.slice(1).filter((set) => set !== undefined);
  return membersOf(context, sets[0]).filter(
    (member) => !others.some((other) => hasMember(context, other, member)),
  );
};

/** The members that every set has; the smallest set is walked. */
const intersection: Combine = (context, sets) => [...commonMembers(context, sets)];

function* commonMembers(
  context: CommandContext,
  sets: readonly (SetValue | undefined)[],
): Generator<Buffer, void> {
  const present = sets.filter((set) => set !== undefined);
  if (present.length < sets.length) return;
  const [smallest, ...others] = present.sort((a, b) => a.metadata.size - b.metadata.size);
  for (const member of membersOf(context, smallest))
    if (others.every((other) => hasMember(context, other, member))) yield member;
}

const findSets = (
  context: CommandContext,
  keys: readonly Buffer[],
): readonly (SetValue | undefined)[] | ErrorReply => {
  const sets: (SetValue | undefined)[] = [];
  for (const key of keys) {
    const set = findSet(context, key);
    if (set instanceof ErrorReply) return set;
    sets.push(set);
  }
  return sets;
};

const answer =
  (combine: Combine) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const sets = findSets(context, args.slice(1));
    return sets instanceof ErrorReply ? sets : setReply(combine(context, sets));
  };

const store =
  (combine: Combine) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const sets = findSets(context, args.slice(2));
    if (sets instanceof ErrorReply) return sets;
    const members = combine(context, sets);
    storeSet(context, args[1], members);
    return members.length;
  };

/** `SINTERCARD numkeys key [key …] [LIMIT n]` */
const sintercard = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const keyCount = parseInteger(args[1]);
  if (keyCount === undefined || keyCount < 1) return new ErrorReply('ERR numkeys should be greater than 0');
  if (keyCount > args.length - 2)
    return new ErrorReply("ERR Number of keys can't be greater than number of args");
  const options = args.slice(2 + keyCount);
  let limit = 0;
  if (options.length > 0) {
    if (options.length !== 2 || optionWord(options[0]) !== 'LIMIT') return refusal.syntax;
    const wanted = parseClamped(options[1]);
    if (wanted === undefined || wanted < 0) return new ErrorReply("ERR LIMIT can't be negative");
    limit = wanted;
  }
  const sets = findSets(context, args.slice(2, 2 + keyCount));
  if (sets instanceof ErrorReply) return sets;
  let count = 0;
  for (const _ of commonMembers(context, sets)) if (++count === limit) break;
  return count;
};

export const setAlgebraCommands: readonly DataCommand[] = [
  readCommand('sunion', -2, allKeys, answer(union)),
  readCommand('sdiff', -2, allKeys, answer(difference)),
  readCommand('sinter', -2, allKeys, answer(intersection)),
  readCommand('sintercard', -3, numberedKeys(1), sintercard),
  writeCommand('sunionstore', -3, allKeys, store(union)),
  writeCommand('sdiffstore', -3, allKeys, store(difference)),
  writeCommand('sinterstore', -3, allKeys, store(intersection)),
];
