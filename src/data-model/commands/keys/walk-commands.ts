import { copyOf, prefixSuccessor } from '../../../bytes/index.js';
import type { DataIterator, RecordTarget } from '../../../engine/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { isAlive, locateMetadata, noMetadata, readMetadata } from '../../encoding/metadata.js';
import { optionWord } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import {
  type DataCommand,
  noKeys,
  type ReplySteps,
  readCommand,
  steppedCommand,
  writeCommand,
} from '../data-command.js';
import { compileGlob } from '../glob.js';
import { randomEntry } from '../random-entry.js';
import { ErrorReply, ok, type Reply, refusal } from '../reply.js';
import { parseScanOptions, scanEntries, scanReply, scanStart } from '../scan.js';
import { giveRun } from '../sub-keys.js';
import { typeName } from './existence-commands.js';

const scan = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseScanOptions(args, 2);
  if (options instanceof ErrorReply) return options;
  const begin = scanStart(context, args[1], context.prefix);
  if (begin === undefined) return refusal.invalidCursor;
  const nowMs = context.nowMs();
  const { cursor, found } = scanEntries(
    context,
    ColumnFamily.metadata,
    context.prefix,
    begin,
    options,
    ({ value }, userKey) => {
      const metadata = readMetadata(value);
      if (metadata === undefined || !isAlive(metadata, nowMs)) return undefined;
      const isWanted = options.type === undefined || typeName[metadata.type].toLowerCase() === options.type;
      return isWanted ? Buffer.from(userKey) : undefined;
    },
  );
  return scanReply(cursor, found);
};

function* keys(context: CommandContext, args: readonly Buffer[]): ReplySteps {
  const glob = compileGlob(args[1]);
  const found: Buffer[] = [];
  yield* walkKeys(context, glob.prefix, (bytes, start, end) => {
    if (glob.matches(bytes.subarray(start, end))) found.push(copyOf(bytes, start, end));
  });
  return found;
}

/** Counts by walking all keys: exact, in time linear in their number. */
function* dbsize(context: CommandContext): ReplySteps {
  let count = 0;
  yield* walkKeys(context, noBytes, () => {
    count++;
  });
  return count;
}

/** Any key may be picked, those that crowd together a little less often. Of keys that have expired a living one near. */
const randomkey = (context: CommandContext): Reply => {
  const found = randomEntry(context, ColumnFamily.metadata, context.prefix);
  if (found === undefined) return null;
  return firstKeyFrom(context, found.key) ?? firstKeyFrom(context, context.prefix) ?? null;
};

const firstKeyFrom = (context: CommandContext, begin: Buffer): Buffer | undefined => {
  const iterator = iterateFrom(context, begin, context.prefix);
  const nowMs = context.nowMs();
  try {
    for (; iterator.valid; iterator.next()) {
      const metadata = readMetadata(iterator.item.value);
      if (metadata !== undefined && isAlive(metadata, nowMs))
        return Buffer.from(iterator.item.key.subarray(context.prefix.length));
    }
    return undefined;
  } finally {
    iterator.close();
  }
};

/** Visits each living key that starts with `start`, where it lies; yields after each thousand entries or so. */
function* walkKeys(
  context: CommandContext,
  start: Buffer,
  visit: (bytes: Buffer, start: number, end: number) => void,
): Generator<undefined, void, undefined> {
  const begin = Buffer.concat([context.prefix, start]);
  const iterator = iterateFrom(context, begin, begin);
  const nowMs = context.nowMs();
  const metadata = noMetadata();
  let seen = 0;
  const target: RecordTarget = {
    record: (key, keyStart, keyEnd, value, valueStart, valueEnd) => {
      const isMetadata = locateMetadata(value, valueStart, valueEnd, metadata);
      if (isMetadata && isAlive(metadata, nowMs)) visit(key, keyStart, keyEnd);
      return ++seen % entriesPerStep !== 0;
    },
  };
  try {
    while (iterator.valid) {
      giveRun(iterator, context.prefix, target);
      if (iterator.valid) yield undefined;
    }
  } finally {
    iterator.close();
  }
}

const entriesPerStep = 1_000;

/** Metadata entries from `begin` to the last that starts with `prefix`. */
const iterateFrom = (context: CommandContext, begin: Buffer, prefix: Buffer): DataIterator => {
  const end = prefixSuccessor(prefix);
  return context.reader.iterate({
    columnFamily: ColumnFamily.metadata,
    begin,
    ...(end === undefined ? {} : { end }),
  });
};

/** ASYNC and SYNC are the same here: the range goes at once, its entries when they are merged away. */
const isFlush = (args: readonly Buffer[]): boolean =>
  args.length === 1 || (args.length === 2 && /^A?SYNC$/.test(optionWord(args[1])));

/** One DeleteRange over the namespace's metadata, without a note. */
const flushdb = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (!isFlush(args)) return refusal.syntax;
  const end = prefixSuccessor(context.prefix);
  if (end !== undefined) context.deleteMetadataRange(context.prefix, end);
  return ok;
};

/** One DeleteRange from the first key of any namespace to behind the last; nothing when there is no key. */
const flushall = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (!isFlush(args)) return refusal.syntax;
  const first = edgeKey(context, false);
  const last = edgeKey(context, true);
  const end = last === undefined ? undefined : prefixSuccessor(last);
  if (first !== undefined && end !== undefined) context.deleteMetadataRange(first, end);
  return ok;
};

const edgeKey = (context: CommandContext, isReverse: boolean): Buffer | undefined => {
  const iterator = context.reader.iterate({ columnFamily: ColumnFamily.metadata, isReverse });
  try {
    return iterator.valid ? Buffer.from(iterator.item.key) : undefined;
  } finally {
    iterator.close();
  }
};

const noBytes = Buffer.alloc(0);

export const walkCommands: readonly DataCommand[] = [
  readCommand('scan', -2, noKeys, scan),
  steppedCommand('keys', 2, keys),
  steppedCommand('dbsize', -1, dbsize),
  readCommand('randomkey', 1, noKeys, randomkey),
  writeCommand('flushdb', -1, noKeys, flushdb),
  writeCommand('flushall', -1, noKeys, flushall),
];
