import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandContext, commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { CommandTransaction } from '../../src/data-model/commands/command-transaction.js';
import { ErrorReply, ownReply, type Reply, wrongArity } from '../../src/data-model/commands/reply.js';
import { type RedisService, startRedis } from '../services/index.js';
import { plainReply } from '../support/command-client.js';
import { comparable } from '../support/comparable-replies.js';
import { MemoryStore } from '../support/memory-store.js';
import { type RandomCommand, randomCommands } from '../support/random-commands.js';
import { SeededRandom } from '../support/seeded-random.js';

const commandCount = Number(process.env['COMMANDS'] ?? 20_000);
const perRound = 500;

/** Of an error only its code word counts; numbers come as text, for those beyond 2^53. */
const flatten = (reply: unknown): unknown => {
  if (typeof reply === 'string' && reply.startsWith('error ')) return reply.split(' ').slice(0, 2).join(' ');
  if (typeof reply === 'number' || typeof reply === 'bigint') return reply.toString();
  return Array.isArray(reply) ? reply.map(flatten) : reply;
};

const flattenTheirs = (reply: unknown): unknown => {
  if (reply instanceof Error) return `error ${reply.message.split(' ')[0]}`;
  if (typeof reply === 'number') return reply.toString();
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(flattenTheirs) : reply;
};

const runOurs = (run: (name: string, args: readonly Buffer[]) => Reply, words: RandomCommand): Reply => {
  const args = words.map((word) => Buffer.from(word));
  const name = String(words[0]).toLowerCase();
  const command = dataCommands.get(name);
  if (command === undefined) throw new Error(`no command ${name}`);
  const isArity = command.arity < 0 ? args.length >= -command.arity : args.length === command.arity;
  return isArity ? run(name, args) : wrongArity(name);
};

const commandNamed = (name: string) => {
  const command = dataCommands.get(name);
  if (command === undefined) throw new Error(`no command ${name}`);
  return command;
};

describe('the same commands', () => {
  let service: RedisService;
  let redis: Redis;

  beforeAll(async () => {
    service = await startRedis();
    redis = new Redis(service.url, { stringNumbers: true, protocol: 2 });
  });

  afterAll(async () => {
    redis.disconnect();
    await service.stop();
  });

  it.each(['one by one', 'in transactions'])(
    'get the same replies from us, %s, as from Redis',
    async (mode) => {
      await redis.flushall();
      const random = SeededRandom.fromEnvironment(`commands ${mode}`);
      const nextCommand = randomCommands(random);
      const store = new MemoryStore();
      const services = commandServices();
      const context = new CommandContext(store, services);
      const history: string[] = [];
      for (let done = 0; done < commandCount; done += perRound) {
        const round = Array.from({ length: perRound }, nextCommand);
        const pipeline = redis.pipeline();
        for (const [name, ...args] of round) pipeline.callBuffer(String(name), ...args);
        const theirs = (await pipeline.exec()) ?? [];
        let transaction = new CommandTransaction(store, services);
        for (const [index, words] of round.entries()) {
          const ours = runOurs((name, args) => {
            if (mode === 'in transactions') return transaction.run(commandNamed(name), args);
            context.begin();
            const reply = ownReply(commandNamed(name).run(context, args));
            if (context.batch.count > 0 && !(reply instanceof ErrorReply)) {
              store.commit(context.batch.finish());
              context.settle();
            }
            return reply;
          }, words);
          if (mode === 'in transactions' && random.below(20) === 0) {
            if (transaction.batch.count > 0) store.commit(transaction.batch.finish());
            transaction = new CommandTransaction(store, services);
          }
          const name = String(words[0]);
          const [error, result] = theirs[index] ?? [];
          history.push(words.map((word) => JSON.stringify(word.toString('latin1'))).join(' '));
          expect(
            comparable(name, flatten(plainReply(ours))),
            `command ${done + index}, after\n${history.slice(-6).join('\n')}`,
          ).toEqual(comparable(name, flattenTheirs(error ?? result)));
        }
        if (transaction.batch.count > 0) store.commit(transaction.batch.finish());
      }
    },
  );
});
