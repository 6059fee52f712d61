import { ColumnFamily } from '../../encoding/column-family.js';
import { parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, twoKeys, writeCommand } from '../data-command.js';
import { chooseEntries, maxRepeats } from '../random-choice.js';
import { ErrorReply, type Reply, refusal, setReply } from '../reply.js';
import { parseScanOptions, scanEntries, scanReply, scanStart } from '../scan.js';
import { ByteSet } from '../sub-keys.js';
import {
  createSet,
  deleteMember,
  findSet,
  hasMember,
  membersOf,
  putMember,
  putSetSize,
  type SetValue,
  setNote,
} from './set-value.js';

const sadd = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const set = findSet(context, key) ?? createSet(context, key);
  if (set instanceof ErrorReply) return set;
  const seen = args.length > 3 ? new ByteSet() : undefined;
  let added = 0;
  context.batch.logData(setNote);
  for (let i = 2; i < args.length; i++) {
    const member = args[i];
    if (seen?.add(member) === false || hasMember(context, set, member)) continue;
    putMember(context, set, member);
    added++;
  }
  putSetSize(context, set, added);
  return added;
};

/** Deletes those of `members` that the set has, and counts them. */
const removeMembers = (context: CommandContext, set: SetValue, members: readonly Buffer[]): number => {
  const seen = new ByteSet();
  const found = members.filter((member) => hasMember(context, set, member) && seen.add(member));
  dropMembers(context, set, found);
  // As in Kvrocks, whose SPOP puts a size of 0 instead.
  if (found.length === set.metadata.size) context.deleteMetadata(set.key);
  else putSetSize(context, set, -found.length);
  return found.length;
};

/** Deletes members that the set has, each of them once; the caller puts or deletes the metadata. */
const dropMembers = (context: CommandContext, set: SetValue, members: readonly Buffer[]): void => {
  context.batch.logData(setNote);
  for (const member of members) deleteMember(context, set, member);
};

const srem = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const set = findSet(context, args[1]);
  if (set === undefined) return 0;
  return set instanceof ErrorReply ? set : removeMembers(context, set, args.slice(2));
};

const smove = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const from = args[1];
  const to = args[2];
  const member = args[3];
  const source = findSet(context, from);
  if (source instanceof ErrorReply) return source;
  const target = findSet(context, to) ?? createSet(context, to);
  if (source === undefined) return 0;
  if (target instanceof ErrorReply) return target;
  if (!hasMember(context, source, member)) return 0;
  if (from.equals(to)) return 1;
  removeMembers(context, source, [member]);
  if (!hasMember(context, target, member)) {
    context.batch.logData(setNote);
    putMember(context, target, member);
    putSetSize(context, target, 1);
  }
  return 1;
};

const spop = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length > 3) return refusal.syntax;
  const count = args.length === 3 ? parseClamped(args[2]) : 1;
  if (count === undefined || count < 0) return refusal.notPositive;
  const set = findSet(context, args[1]);
  if (set instanceof ErrorReply) return set;
  if (set === undefined) return args.length === 3 ? setReply([]) : null;
  const chosen = chooseMembers(context, set, count);
  if (chosen.length > 0) {
    dropMembers(context, set, chosen);
    putSetSize(context, set, -chosen.length);
  }
  return args.length === 3 ? setReply(chosen) : (chosen[0] ?? null);
};

const srandmember = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length > 3) return refusal.syntax;
  const count = args.length === 3 ? parseClamped(args[2]) : 1;
  if (count === undefined) return refusal.notInteger;
  if (count < -maxRepeats) return refusal.countOutOfRange;
  const set = findSet(context, args[1]);
  if (set instanceof ErrorReply) return set;
  if (set === undefined) return args.length === 3 ? [] : null;
  const chosen = chooseMembers(context, set, count);
  return args.length === 3 ? chosen : (chosen[0] ?? null);
};

const chooseMembers = (context: CommandContext, set: SetValue, count: number): Buffer[] =>
  chooseEntries(context, set.prefix, set.metadata.size, count).map(({ subKey }) => subKey);

const scard = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.find(args[1], 'set');
  return metadata instanceof ErrorReply ? metadata : (metadata?.size ?? 0);
};

const sismember = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const set = findSet(context, args[1]);
  if (set instanceof ErrorReply) return set;
  return set !== undefined && hasMember(context, set, args[2]) ? 1 : 0;
};

const smismember = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const set = findSet(context, args[1]);
  if (set instanceof ErrorReply) return set;
  return args.slice(2).map((member) => (set !== undefined && hasMember(context, set, member) ? 1 : 0));
};

const smembers = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const set = findSet(context, args[1]);
  return set instanceof ErrorReply ? set : setReply(membersOf(context, set));
};

const sscan = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseScanOptions(args, 3);
  if (options instanceof ErrorReply) return options;
  const set = findSet(context, args[1]);
  if (set instanceof ErrorReply) return set;
  const begin = scanStart(context, args[2], set?.prefix ?? noBytes);
  if (begin === undefined) return refusal.invalidCursor;
  if (set === undefined) return scanReply(0, []);
  const step = scanEntries(context, ColumnFamily.subKeys, set.prefix, begin, options, (_, member) =>
    Buffer.from(member),
  );
  return scanReply(step.cursor, step.found);
};

const noBytes = Buffer.alloc(0);

export const memberCommands: readonly DataCommand[] = [
  writeCommand('sadd', -3, oneKey, sadd),
  writeCommand('srem', -3, oneKey, srem),
  writeCommand('smove', 4, twoKeys, smove),
  writeCommand('spop', -2, oneKey, spop),
  readCommand('srandmember', -2, oneKey, srandmember),
  readCommand('scard', 2, oneKey, scard),
  readCommand('sismember', 3, oneKey, sismember),
  readCommand('smismember', -3, oneKey, smismember),
  readCommand('smembers', 2, oneKey, smembers),
  readCommand('sscan', -3, oneKey, sscan),
];
