import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transaction } from '../../src/data-model/change.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import type { RedisCommand } from '../../src/data-model/redis/command-target.js';
import { toRedisCommands } from '../../src/data-model/redis/redis-commands.js';
import { encodeCommand, parseRedisUrl, ReplyError, RespConnection } from '../../src/resp/index.js';
import { type RedisService, startRedis } from '../services/index.js';

interface Captured {
  readonly text: string;
  readonly batches: readonly string[];
}

const captured = (name: string): Captured[] =>
  readFileSync(new URL(`../fixtures/kvrocks/${name}.jsonl`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Captured & { args?: string[] })
    .filter(({ batches }) => batches !== undefined && batches.length > 0)
    .map(({ text, args, batches }) => ({ text: text ?? args?.join(' ') ?? '', batches }));

const files = ['vectors', 'vectors-namespaces'];

const word = (value: string | Uint8Array): string => {
  const text = Buffer.from(value).toString('latin1');
  if (text.length > 40) return `<${text.length} bytes>`;
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text);
};

const commandText = (command: RedisCommand): string => command.map(word).join(' ');

/** What a transaction means, in Redis' words, and what could not be told. */
const describeTransaction = (transaction: Transaction): string[] => {
  const { commands, unsupported } = toRedisCommands(transaction, {
    publish: true,
    prefixes: { default: '', tenant1: 'tenant1:' },
  });
  return [
    ...commands.map((command) => `  ${commandText(command)}`),
    ...transaction.undecodable.map(({ code, reason }) => `  ${code}: ${reason}`),
    ...unsupported.map(({ reason }) => `  unsupported: ${reason}`),
  ];
};

const describeAll = (name: string, decoderFor: (before: Decoder) => Decoder): string => {
  let decoder = new Decoder();
  const lines: string[] = [];
  for (const { text, batches } of captured(name)) {
    lines.push(text.split('\n', 1)[0] ?? '');
    for (const batch of batches) {
      decoder = decoderFor(decoder);
      lines.push(...describeTransaction(decoder.decode(Buffer.from(batch, 'hex'))));
    }
  }
  return `${lines.join('\n')}\n`;
};

describe.each(files)('the batches of %s, captured from a real Kvrocks', (name) => {
  it('decode to the commands that were found right by reading them', async () => {
    await expect(describeAll(name, (decoder) => decoder)).toMatchFileSnapshot(`expected/${name}.txt`);
  });

  it('decode without any memory to commands that were found right by reading them', async () => {
    await expect(describeAll(name, () => new Decoder())).toMatchFileSnapshot(
      `expected/${name}-without-memory.txt`,
    );
  });
});

describe('the commands of the captured batches', () => {
  let service: RedisService;
  let redis: RespConnection;
  beforeAll(async () => {
    service = await startRedis();
    redis = await RespConnection.open(parseRedisUrl(service.url));
  });
  afterAll(async () => {
    redis.close();
    await service.stop();
  });

  it.each([
    ['with memory', (decoder: Decoder) => decoder],
    ['without any memory', () => new Decoder()],
  ])('are all taken by a real Redis, decoded %s', async (_, decoderFor) => {
    for (const name of files) {
      await redis.call('FLUSHALL');
      let decoder = new Decoder();
      for (const { text, batches } of captured(name))
        for (const batch of batches) {
          decoder = decoderFor(decoder);
          const transaction = decoder.decode(Buffer.from(batch, 'hex'));
          const prefixes = { default: '', tenant1: 'tenant1:' };
          // Expiries lie in the past by now; far in the future they change nothing else.
          const { commands } = toRedisCommands(transaction, { prefixes, ttlGraceMs: 1e12 });
          for (const command of commands) {
            const [reply] = await redis.send(encodeCommand(...command), 1);
            expect(reply instanceof ReplyError ? reply.message : '', `${text}: ${commandText(command)}`).toBe(
              '',
            );
          }
        }
    }
  });

  it('give HyperLogLogs whose registers are those that Redis itself would have', async () => {
    await redis.call('FLUSHALL');
    const decoder = new Decoder();
    for (const { text, batches } of captured('vectors'))
      for (const batch of batches) {
        const { commands } = toRedisCommands(decoder.decode(Buffer.from(batch, 'hex')));
        if (text.startsWith('PF')) for (const command of commands) await redis.call(...command);
      }
    expect(await redis.call('PFCOUNT', 'hll1')).toBe(3);
    expect(await redis.call('PFCOUNT', 'hll2')).toBe(3);
    expect(await redis.call('PFADD', 'hll1', 'a', 'b', 'c'), 'a register changed').toBe(0);
    expect(await redis.call('PFADD', 'hll1', 'd')).toBe(1);
  });
});
