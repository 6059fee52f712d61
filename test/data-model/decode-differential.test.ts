import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandContext, commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { CommandTransaction } from '../../src/data-model/commands/command-transaction.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import { reverseBits } from '../../src/data-model/encoding/bitmap-encoding.js';
import { EventEncoder } from '../../src/data-model/event/event-encoder.js';
import { CommandEncoder } from '../../src/data-model/redis/redis-commands.js';
import { ByteWriter, parseRedisUrl, ReplyError, RespConnection, writeCommand } from '../../src/resp/index.js';
import { batchCount, setBatchSequence } from '../../src/write-batch/index.js';
import { type RedisService, startRedis } from '../services/index.js';
import { faultOfEvent } from '../support/change-event-schema.js';
import { MemoryStore } from '../support/memory-store.js';
import { type RandomCommand, randomCommands } from '../support/random-commands.js';
import { type RedisKeyState, readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';

const commandCount = Number(process.env['COMMANDS'] ?? 12_000);
const perRound = 300;

/** Carries random commands out as our server does, and keeps the batches that they write. */
class Source {
  readonly #store = new MemoryStore();
  readonly #services = commandServices();
  #nextSequence = 1;
  batches: Buffer[] = [];

  run(commands: readonly RandomCommand[]): void {
    for (const [command, args] of commands.map(prepared)) {
      const context = new CommandContext(this.#store, this.#services);
      command.run(context, args);
      this.#commit(context.batch);
    }
  }

  runAsTransaction(commands: readonly RandomCommand[]): void {
    const transaction = new CommandTransaction(this.#store, this.#services);
    for (const [command, args] of commands.map(prepared)) transaction.run(command, args);
    this.#commit(transaction.batch);
  }

  #commit(batch: CommandContext['batch']): void {
    if (batch.count === 0) return;
    const bytes = Buffer.from(batch.finish());
    setBatchSequence(bytes, this.#nextSequence);
    this.#nextSequence += batchCount(bytes);
    this.#store.commit(bytes);
    this.batches.push(bytes);
  }
}

const prepared = (words: RandomCommand) => {
  const command = dataCommands.get(String(words[0]).toLowerCase());
  if (command === undefined) throw new Error(`no command ${String(words[0])}`);
  return [command, words.map((word) => Buffer.from(word))] as const;
};

/**
 * Kvrocks' BITFIELD fills bytes from the highest bit, its SETBIT and GETBIT count from the lowest, and GET turns
 * what is stored: a Redis that is fed from the log holds what GET and GETBIT of the source answer.
 */
const turnBitfields = (state: Map<string, RedisKeyState>): void => {
  const fields = state.get('fields');
  if (fields === undefined) return;
  const value = reverseBits(Buffer.from(String(fields.value), 'latin1')).toString('latin1');
  state.set('fields', { ...fields, value });
};

const hasArity = (words: RandomCommand): boolean => {
  const arity = dataCommands.get(String(words[0]).toLowerCase())?.arity ?? 0;
  return arity < 0 ? words.length >= -arity : words.length === arity;
};

describe('random commands, carried out by us and replayed from our batches into a Redis', () => {
  let service: RedisService;
  let direct: RespConnection;
  let replayed: RespConnection;
  beforeAll(async () => {
    service = await startRedis();
    const address = parseRedisUrl(service.url);
    direct = await RespConnection.open(address);
    replayed = await RespConnection.open({ ...address, database: 1 });
  });
  afterAll(async () => {
    direct.close();
    replayed.close();
    await service.stop();
  });

  it.each([
    ['one by one', 1, 0],
    ['one by one, with restarts of the decoder', 1, 0.05],
    ['one by one, without any memory', 1, 1],
    ['in transactions', 12, 0],
    ['in transactions, with restarts of the decoder', 12, 0.05],
    ['in transactions, without any memory', 12, 1],
  ])('leave what they leave in a Redis that runs them itself, %s', async (name, together, restarts) => {
    await direct.call('FLUSHALL');
    const random = SeededRandom.fromEnvironment(name);
    const nextCommand = randomCommands(random);
    const source = new Source();
    const encoder = new CommandEncoder();
    const events = new EventEncoder({ connector: 'test', name });
    const eventBytes = new ByteWriter();
    let decoder = new Decoder();
    for (let done = 0; done < commandCount; done += perRound) {
      const out = new ByteWriter();
      let commands = 0;
      for (let at = 0; at < perRound; at += together) {
        const round = Array.from({ length: together }, nextCommand).filter(hasArity);
        if (together === 1) source.run(round);
        else source.runAsTransaction(round);
        for (const words of round) writeCommand(out, [...words]);
        commands += round.length;
      }
      await direct.send(out.take(), commands);
      const batches = source.batches.splice(0);
      let expected = 0;
      for (const batch of batches) {
        if (random.next() < restarts) decoder = new Decoder();
        const transaction = decoder.decode(batch);
        expect(transaction.undecodable, `batch ${transaction.first}`).toEqual([]);
        expected += encoder.append(out, transaction);
        events.append(eventBytes, transaction);
      }
      const lines = eventBytes.take().toString().split('\n').slice(0, -1);
      const replies = expected === 0 ? [] : await replayed.send(out.take(), expected);
      expect(replies.filter((reply) => reply instanceof ReplyError)).toEqual([]);
      expect(lines.map(faultOfEvent).filter((fault) => fault !== undefined)).toEqual([]);
      const [left, right] = [await readRedisState(direct), await readRedisState(replayed)];
      turnBitfields(left);
      expect(Object.fromEntries(right), `after ${done + perRound} commands`).toEqual(
        Object.fromEntries(left),
      );
    }
  });
});
