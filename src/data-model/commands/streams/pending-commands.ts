import { compareStreamIds, type StreamId } from '../../encoding/stream-encoding.js';
import { optionWord, parseClamped, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, nullArray, type Reply, refusal } from '../reply.js';
import { findGroup, type PendingEntry, type StreamGroup } from './stream-group.js';
import { invalidId, parseRangeEnd, parseStreamId } from './stream-id.js';
import { entryReply, idReply, streamNote } from './stream-value.js';

const fromStart: StreamId = { ms: 0n, seq: 0n };

/** `XPENDING key group [[IDLE ms] start end count [consumer]]` */
const xpending = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const group = findGroup(context, args[1], args[2]);
  if (group instanceof ErrorReply) return group;
  if (args.length === 3) return summary(group);
  const hasIdle = optionWord(args[3]) === 'IDLE';
  const at = hasIdle ? 5 : 3;
  const idleMs = hasIdle && args[4] !== undefined ? parseClamped(args[4]) : 0;
  if (args.length < at + 3 || args.length > at + 4) return refusal.syntax;
  const first = parseRangeEnd(args[at], true);
  const last = parseRangeEnd(args[at + 1], false);
  const count = parseClamped(args[at + 2]);
  if (first instanceof ErrorReply) return first;
  if (last instanceof ErrorReply) return last;
  if (count === undefined || idleMs === undefined) return refusal.notInteger;
  const consumer = args[at + 3];
  const nowMs = context.nowMs();
  const replies: Reply[] = [];
  if (count <= 0 || compareStreamIds(first, last) > 0) return replies;
  const query = {
    ...{ first, last },
    ...(consumer === undefined ? {} : { consumer }),
    ...(idleMs > 0 ? { deliveredUntilMs: nowMs - idleMs } : {}),
  };
  group.forEachPending(query, ({ id, consumer: owner, deliveredMs, deliveryCount }) => {
    replies.push([idReply(id), owner, Math.max(0, nowMs - deliveredMs), deliveryCount]);
    return replies.length < count;
  });
  return replies;
};

/** How many, from which to which id, and how many for each consumer: all is kept, the entries are not read. */
const summary = (group: StreamGroup): Reply => {
  const [first, last] = [group.edgeOfPending(false), group.edgeOfPending(true)];
  if (first === undefined || last === undefined) return [0, null, null, nullArray];
  const perConsumer = group
    .consumers()
    .filter(({ state }) => state.pendingCount > 0)
    .sort((a, b) => Buffer.compare(a.name, b.name))
    .map(({ name, state }) => [name, Buffer.from(String(state.pendingCount))]);
  return [group.state.pendingCount, idReply(first), idReply(last), perConsumer];
};

interface ClaimOptions {
  readonly deliveredMs: number;
  readonly retryCount: number | undefined;
  readonly isForced: boolean;
  readonly isJustId: boolean;
  /** What the group has last been given at least. */
  readonly lastId?: StreamId;
}

/** `XCLAIM key group consumer min-idle id … [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]` */
const xclaim = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const nowMs = context.nowMs();
  const minIdleMs = parseInteger(args[4]);
  if (minIdleMs === undefined) return new ErrorReply('ERR Invalid min-idle-time argument for XCLAIM');
  const ids: StreamId[] = [];
  let at = 5;
  for (; at < args.length; at++) {
    const id = parseStreamId(args[at], 0n);
    if (id === undefined) break;
    ids.push(id);
  }
  const options = parseClaimOptions(args, at, nowMs);
  if (options instanceof ErrorReply) return options;
  if (ids.length === 0) return invalidId;
  const group = findGroup(context, args[1], args[2]);
  if (group instanceof ErrorReply) return group;
  const consumer = Buffer.from(args[3]);
  context.batch.logData(streamNote);
  const { lastId } = options;
  if (lastId !== undefined && compareStreamIds(lastId, group.state.lastDeliveredId) > 0)
    group.state = { ...group.state, lastDeliveredId: lastId };
  const replies: Reply[] = [];
  for (const id of ids) {
    const pending = group.pending(id);
    if (pending === undefined && !options.isForced) continue;
    const fields = group.stream.read(id);
    if (fields === undefined) {
      if (pending !== undefined) dropPending(group, pending);
      continue;
    }
    if (pending !== undefined && nowMs - pending.deliveredMs < minIdleMs) continue;
    claim(context, group, id, pending, consumer, options);
    replies.push(options.isJustId ? idReply(id) : entryReply({ id, fields }));
  }
  group.putWhenChanged();
  return replies;
};

const parseClaimOptions = (
  args: readonly Buffer[],
  from: number,
  nowMs: number,
): ClaimOptions | ErrorReply => {
  let deliveredMs = nowMs;
  let retryCount: number | undefined;
  let isForced = false;
  let isJustId = false;
  let lastId: StreamId | undefined;
  for (let i = from; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'FORCE') isForced = true;
    else if (word === 'JUSTID') isJustId = true;
    else if (word === 'LASTID' && args[i + 1] !== undefined) {
      lastId = parseStreamId(args[++i], 0n);
      if (lastId === undefined) return invalidId;
    } else if (['IDLE', 'TIME', 'RETRYCOUNT'].includes(word) && args[i + 1] !== undefined) {
      const amount = parseInteger(args[++i]);
      if (amount === undefined || amount < 0)
        return new ErrorReply(`ERR Invalid ${word} option argument for XCLAIM`);
      if (word === 'IDLE') deliveredMs = Math.max(0, nowMs - amount);
      else if (word === 'TIME') deliveredMs = Math.min(nowMs, amount);
      else retryCount = amount;
    } else return new ErrorReply(`ERR Unrecognized XCLAIM option '${args[i]}'`);
  }
  return { deliveredMs, retryCount, isForced, isJustId, ...(lastId === undefined ? {} : { lastId }) };
};

/** Gives a pending entry to `consumer`; JUSTID is no delivery and doesn't count. */
const claim = (
  context: CommandContext,
  group: StreamGroup,
  id: StreamId,
  pending: PendingEntry | undefined,
  consumer: Buffer,
  options: ClaimOptions,
): void => {
  const nowMs = context.nowMs();
  const known = group.consumer(consumer);
  group.setConsumer(consumer, {
    pendingCount: known?.pendingCount ?? 0,
    lastSeenMs: nowMs,
    lastActiveMs: nowMs,
  });
  if (pending === undefined) group.state = { ...group.state, pendingCount: group.state.pendingCount + 1 };
  else group.addPending(pending.consumer, -1);
  group.addPending(consumer, 1);
  const delivered = pending?.deliveryCount ?? 0;
  const deliveryCount = options.retryCount ?? (options.isJustId ? delivered : delivered + 1);
  group.putPending(id, { deliveredMs: options.deliveredMs, deliveryCount, consumer });
};

/** A pending entry whose stream entry was deleted is no longer pending. */
const dropPending = (group: StreamGroup, pending: PendingEntry): void => {
  group.deletePending(pending.id);
  group.addPending(pending.consumer, -1);
  group.state = { ...group.state, pendingCount: group.state.pendingCount - 1 };
};

/** `XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]` */
const xautoclaim = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const nowMs = context.nowMs();
  const minIdleMs = parseInteger(args[4]);
  if (minIdleMs === undefined) return new ErrorReply('ERR Invalid min-idle-time argument for XAUTOCLAIM');
  const start = parseRangeEnd(args[5], true);
  if (start instanceof ErrorReply) return start;
  let count = 100;
  let isJustId = false;
  for (let i = 6; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'JUSTID') isJustId = true;
    else if (word === 'COUNT' && args[i + 1] !== undefined) {
      const wanted = parseInteger(args[++i]);
      if (wanted === undefined || wanted < 1) return new ErrorReply('ERR COUNT must be > 0');
      count = wanted;
    } else return refusal.syntax;
  }
  const group = findGroup(context, args[1], args[2]);
  if (group instanceof ErrorReply) return group;
  const consumer = Buffer.from(args[3]);
  const options = { deliveredMs: nowMs, retryCount: undefined, isForced: false, isJustId };
  const candidates: PendingEntry[] = [];
  let next: StreamId = fromStart;
  let seen = 0;
  const most = count * 10;
  group.forEachPending({ first: start }, (entry) => {
    if (candidates.length === count || seen === most) {
      next = entry.id;
      return false;
    }
    seen++;
    if (nowMs - entry.deliveredMs >= minIdleMs) candidates.push(entry);
    return true;
  });
  context.batch.logData(streamNote);
  const claimed: Reply[] = [];
  const deleted: Reply[] = [];
  for (const pending of candidates) {
    const fields = group.stream.read(pending.id);
    if (fields === undefined) {
      dropPending(group, pending);
      deleted.push(idReply(pending.id));
      continue;
    }
    claim(context, group, pending.id, pending, consumer, options);
    claimed.push(isJustId ? idReply(pending.id) : entryReply({ id: pending.id, fields }));
  }
  group.putWhenChanged();
  return [idReply(next), claimed, deleted];
};

export const pendingCommands: readonly DataCommand[] = [
  readCommand('xpending', -3, oneKey, xpending),
  writeCommand('xclaim', -6, oneKey, xclaim),
  writeCommand('xautoclaim', -6, oneKey, xautoclaim),
];
