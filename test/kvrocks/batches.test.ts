import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseRedisUrl, type Reply, ReplyError, RespConnection } from '../../src/resp/index.js';
import { describeBatch, joinBatches } from '../data-model/vectors.js';
import { type KvrocksService, startKvrocks } from '../services/index.js';
import { comparable } from '../support/comparable-replies.js';
import { kvrocksCommands } from '../support/kvrocks-commands.js';
import type { RandomCommand } from '../support/random-commands.js';
import { SeededRandom } from '../support/seeded-random.js';
import { useServer } from '../support/use-server.js';

/** COMMANDS=100000 is the long setting. */
const commandCount = Number(process.env['COMMANDS'] ?? 5_000);

/** Where the bytes differ with the same answer, and why. */
const writtenOtherwise = new Map(
  Object.entries({
    BITFIELD: 'our note holds the GETs of the call as well',
    BITOP: 'Kvrocks deletes the target when it is not there',
    GETEX: 'Kvrocks writes the key again when there was no expiry to take away',
    LMPOP: 'Kvrocks puts the metadata also when it takes nothing',
    LPOP: 'Kvrocks puts the metadata also when it takes nothing',
    RPOP: 'Kvrocks puts the metadata also when it takes nothing',
    RESTORE: 'Kvrocks writes the expiry on its own, and fields in the order of a hash table',
    XAUTOCLAIM: 'Kvrocks makes the consumer also when it claims nothing, as Redis does from 7.2 on',
    XCLAIM: 'Kvrocks puts consumer and group also when it claims nothing',
    XGROUP: 'Kvrocks takes the last entry that there is for $, Redis the last id',
    ZADD: 'Kvrocks writes a member that is given twice in another order',
    ZDIFFSTORE: 'Kvrocks puts the metadata of an empty set',
    ZINTERSTORE: 'Kvrocks puts the metadata of an empty set',
    ZUNIONSTORE: 'Kvrocks puts the metadata of an empty set',
    ZRANGESTORE: 'Kvrocks puts the metadata of an empty set',
  }),
);

const plain = (reply: Reply | undefined): unknown => {
  if (reply instanceof ReplyError) return 'error';
  if (typeof reply === 'number' || typeof reply === 'bigint') return reply.toString();
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(plain) : reply;
};

/** A server, and how far its log has been read. */
class Side {
  readonly #connection: RespConnection;
  #sequence = 0;

  constructor(connection: RespConnection) {
    this.#connection = connection;
  }

  /** Runs a command; its answer, and what it wrote. */
  async run(words: RandomCommand): Promise<{ reply: unknown; records: string[] }> {
    const reply = await this.#connection.call(...words);
    const updates = (await this.#connection.call(
      'POLLUPDATES',
      `${this.#sequence}`,
      'MAX',
      '1000',
    )) as Reply[];
    this.#sequence = Number(updates[1]);
    const batches = (updates[5] as Reply[]).map((hex) => Buffer.from(String(hex), 'hex'));
    return {
      reply: comparable(String(words[0]), plain(reply)),
      records: batches.length === 0 ? [] : describeBatch(joinBatches(batches)),
    };
  }

  close(): void {
    this.#connection.close();
  }
}

const served = useServer('kvrocks-batches', { engine: { sync: 'none' } });
let kvrocks: KvrocksService;
beforeAll(async () => {
  kvrocks = await startKvrocks();
});
afterAll(() => kvrocks.stop());

it('commands that are answered alike write the same records, apart from versions and times', {
  timeout: 300_000 + commandCount * 10,
}, async () => {
  const next = kvrocksCommands(SeededRandom.fromEnvironment('batches of a Kvrocks'));
  const theirs = new Side(await RespConnection.open(parseRedisUrl(kvrocks.url)));
  const ours = new Side(served.client);
  let compared = 0;
  /** By command: the first call that wrote something else. */
  const different = new Map<string, unknown>();
  for (let i = 0; i < commandCount; i++) {
    const words = next();
    const name = String(words[0]);
    const [mine, expected] = [await ours.run(words), await theirs.run(words)];
    const isSame = isDeepStrictEqual(mine.records, expected.records);
    if (isDeepStrictEqual(mine.reply, expected.reply) && !writtenOtherwise.has(name)) {
      if (isSame) compared++;
      else different.set(name, { words: words.map(String), ours: mine.records, theirs: expected.records });
    }
    // Where they part, as where we answer like Redis, both begin anew.
    if (!isSame) for (const side of [ours, theirs]) await side.run(['FLUSHALL']);
  }
  expect(Object.fromEntries(different)).toEqual({});
  expect(compared).toBeGreaterThan(commandCount / 2);
  ours.close();
  theirs.close();
});
