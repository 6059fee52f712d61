import { type Change, streamBeginCommands, streamStateCommands } from '../../data-model/index.js';
import { type Reply, ReplyError } from '../../resp/index.js';
import { tooLarge } from '../record-part.js';
import {
  buffersOf,
  type Command,
  failed,
  type KeyFacts,
  largestCount,
  type ReadLimits,
  type ValueReading,
} from './reading.js';

/**
 * A stream: its entries by id, then its last id and counters, then its groups with their consumers and pending entries, as
 * the commands that set them.
 */
export function* readStream(facts: KeyFacts, { pageElements, budget }: ReadLimits): ValueReading {
  const { key } = facts;
  const count = Math.min(pageElements, largestCount);
  const changes: Change[] = [];
  const told = (command: readonly (string | Uint8Array)[]): Change => ({
    ...facts,
    op: 'streamMeta',
    type: 'stream',
    command,
  });
  const tell = (...command: (string | Uint8Array)[]): void => {
    changes.push(told(command));
  };
  let start = '-';
  for (;;) {
    const [reply] = yield [['XRANGE', key, start, '+', 'COUNT', count]];
    if (reply instanceof ReplyError) return failed(reply);
    if (!Array.isArray(reply)) return undefined;
    for (const entry of reply) {
      const [id, fields] = Array.isArray(entry) ? entry : [];
      if (!Array.isArray(fields)) return undefined;
      const read = buffersOf(fields);
      if (!budget.takeAll(read)) return tooLarge;
      changes.push({ ...facts, op: 'put', type: 'stream', id: String(id), fields: read });
      start = `(${String(id)}`;
    }
    if (reply.length < count) break;
  }
  const [whole, groups] = yield [
    ['XINFO', 'STREAM', key],
    ['XINFO', 'GROUPS', key],
  ];
  // A Kvrocks that has lost count of a stream's entries finds no such key, unless it is not to show the first and the last.
  const [stream] =
    whole instanceof ReplyError ? yield [['XINFO', 'STREAM', key, 'FULL', 'COUNT', 1]] : [whole];
  if (stream instanceof ReplyError) return failed(stream);
  if (!Array.isArray(stream) || !Array.isArray(groups)) return undefined;
  const info = namedValues(stream);
  const state = {
    lastId: String(info.get('last-generated-id')),
    entriesAdded: String(info.get('entries-added') ?? changes.length),
    maxDeletedId: String(info.get('max-deleted-entry-id') ?? '0-0'),
  };
  const begin = streamBeginCommands(key, state, changes.length === 0).map(told);
  for (const command of streamStateCommands(key, state)) tell(...command);
  for (const reply of groups) {
    const group = namedValues(reply);
    const name = group.get('name');
    if (!(name instanceof Buffer)) return undefined;
    const created = ['XGROUP', 'CREATE', key, name, String(group.get('last-delivered-id')), 'MKSTREAM'];
    const read = group.get('entries-read');
    tell(...created, 'ENTRIESREAD', String(typeof read === 'number' ? read : -1));
    const consumers = Number(group.get('consumers'));
    const failure = yield* readGroup(facts, name, consumers, count, tell);
    if (failure !== undefined) return failure.reason;
  }
  return begin.length === 0 ? changes : [...begin, ...changes];
}

function* readGroup(
  { key }: KeyFacts,
  name: Buffer,
  consumerCount: number,
  count: number,
  tell: (...command: (string | Uint8Array)[]) => void,
): Generator<readonly Command[], { reason: string | undefined } | undefined, readonly Reply[]> {
  const [consumers] = yield [['XINFO', 'CONSUMERS', key, name]];
  if (!Array.isArray(consumers)) return { reason: undefined };
  // A Kvrocks lists those of the groups that follow as well, behind the group's own.
  for (const reply of consumers.slice(0, consumerCount)) {
    const consumer = namedValues(reply).get('name');
    if (consumer instanceof Buffer) tell('XGROUP', 'CREATECONSUMER', key, name, consumer);
  }
  let start = '-';
  for (;;) {
    const [pending] = yield [['XPENDING', key, name, start, '+', count]];
    if (!Array.isArray(pending))
      return { reason: pending instanceof ReplyError ? failed(pending) : undefined };
    for (const reply of pending) {
      const [id, consumer, idle, deliveries] = Array.isArray(reply) ? reply : [];
      if (!(consumer instanceof Buffer)) return { reason: undefined };
      const time = String(Date.now() - Number(idle));
      const claimed = ['XCLAIM', key, name, consumer, '0', String(id), 'TIME', time];
      tell(...claimed, 'RETRYCOUNT', String(deliveries), 'FORCE', 'JUSTID');
      start = `(${String(id)}`;
    }
    if (pending.length < count) return undefined;
  }
}

/** A flat list of names and values, or of a RESP3 map, by name. */
const namedValues = (reply: Reply): Map<string, Reply> => {
  const items = Array.isArray(reply) ? reply : [];
  const values = new Map<string, Reply>();
  for (let at = 0; at + 1 < items.length; at += 2) values.set(String(items[at]), items[at + 1]);
  return values;
};
