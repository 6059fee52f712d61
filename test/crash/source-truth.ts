import { Engine } from '../../src/engine/index.js';
import {
  ByteWriter,
  CommandEncoder,
  Decoder,
  type ParsedEvent,
  RespConnection,
} from '../../src/kit/index.js';
import { startRedis } from '../services/index.js';
import { type RedisKeyState, readRedisState } from '../support/redis-state.js';

/** What the source holds in the end, and how it came to it. */
export interface SourceTruth {
  /** Every key, as the source itself answers. */
  readonly state: ReadonlyMap<string, RedisKeyState>;
  /** The batches of the log that change anything: first sequence numbers, in order. */
  readonly batches: readonly number[];
}

export const readState = async (port: number): Promise<Map<string, RedisKeyState>> => {
  const connection = await RespConnection.open({ host: '127.0.0.1', port });
  try {
    const state = await readRedisState(connection);
    for (const key of state.keys()) if (key.startsWith('tailrace:')) state.delete(key); // positions of the sinks
    return state;
  } finally {
    connection.close();
  }
};

/** From the store's own log; nobody else may have it open. */
export const readBatches = async (store: string): Promise<number[]> => {
  await using engine = await Engine.open(store);
  const decoder = new Decoder();
  const batches: number[] = [];
  for (const batch of engine.walIterator(0))
    if (decoder.decode(Buffer.from(batch.bytes)).changes.length > 0) batches.push(batch.sequence);
  return batches;
};

/** Throws unless these are the source's changes: each batch whole, once, in order, and leading to the same data. */
export const verifyEvents = async (events: readonly ParsedEvent[], truth: SourceTruth): Promise<void> => {
  const seen: number[] = [];
  let next = 0;
  let size = 0;
  for (const { tx, change } of events) {
    const isStart = next === size;
    if (change.index !== (isStart ? 0 : next) || (!isStart && tx.first !== seen.at(-1)))
      throw new Error(
        `change ${change.index} of batch ${tx.first} stands behind change ${next - 1} of ${seen.at(-1)}`,
      );
    if (isStart) seen.push(tx.first);
    next = change.index + 1;
    size = tx.size;
  }
  if (next !== size) throw new Error(`batch ${seen.at(-1)} ends with change ${next - 1} of ${size}`);
  requireEqual('batches', seen, truth.batches);
  requireSameState(await stateOfEvents(events), truth.state);
};

/** What the changes lead to on a Redis that nobody disturbs. */
const stateOfEvents = async (events: readonly ParsedEvent[]): Promise<Map<string, RedisKeyState>> => {
  const redis = await startRedis();
  const connection = await RespConnection.open({ host: '127.0.0.1', port: redis.port });
  const encoder = new CommandEncoder();
  const out = new ByteWriter();
  for (let from = 0; from < events.length; from += replayedAtOnce) {
    const changes = events.slice(from, from + replayedAtOnce).map(({ change }) => change);
    const replies = encoder.append(out, { changes });
    if (replies > 0) await connection.send(out.take(), replies);
  }
  connection.close();
  const state = await readState(redis.port);
  await redis.stop();
  return state;
};

export const requireSameState = (
  found: ReadonlyMap<string, RedisKeyState>,
  expected: ReadonlyMap<string, RedisKeyState>,
): void => {
  for (const [key, state] of expected) requireEqual(`key ${JSON.stringify(key)}`, found.get(key), state);
  for (const key of found.keys())
    if (!expected.has(key))
      throw new Error(`the target holds the key ${JSON.stringify(key)}, the source does not`);
};

const requireEqual = (what: string, found: unknown, expected: unknown): void => {
  const [ours, theirs] = [JSON.stringify(found), JSON.stringify(expected)];
  if (ours === theirs) return;
  let at = 0;
  while (at < theirs.length && ours?.[at] === theirs[at]) at++;
  const around = (text: string | undefined): string => String(text).slice(Math.max(0, at - 200), at + 200);
  throw new Error(`${what}: the target has\n${around(ours)}\nthe source\n${around(theirs)}`);
};

const replayedAtOnce = 2_000;
