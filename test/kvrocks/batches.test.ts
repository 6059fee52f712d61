import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { parseRedisUrl, type Reply, ReplyError, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { describeBatch, joinBatches } from '../data-model/vectors.js';
import { type KvrocksService, startKvrocks, throwAwayDirectory } from '../services/index.js';
import { comparable } from '../support/comparable-replies.js';
import { type RandomCommand, randomCommands } from '../support/random-commands.js';
import { SeededRandom } from '../support/seeded-random.js';

const commandCount = Number(process.env['COMMANDS'] ?? 5_000);

const plain = (reply: Reply | undefined): unknown => {
  if (reply instanceof ReplyError) return `error ${reply.message}`;
  if (typeof reply === 'number' || typeof reply === 'bigint') return reply.toString();
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(plain) : reply;
};

class Side {
  readonly connection: RespConnection;
  next = 0;
  constructor(connection: RespConnection) {
    this.connection = connection;
  }
  async run(words: RandomCommand): Promise<{ reply: unknown; batches: string[]; raw: string[] }> {
    const reply = plain(await this.connection.call(...words));
    const updates: Buffer[] = [];
    for (;;) {
      const answer = (await this.connection.call('POLLUPDATES', `${this.next}`, 'MAX', '1000')) as Reply;
      if (answer instanceof ReplyError) throw answer;
      const fields = answer as Reply[];
      const list = fields[5] as Reply[];
      this.next = Number(fields[1]);
      for (const hex of list) updates.push(Buffer.from(String(hex), 'hex'));
      if (list.length < 1000) break;
    }
    return {
      reply: comparable(String(words[0]), reply),
      batches: updates.length === 0 ? [] : describeBatch(joinBatches(updates)),
      raw: updates.map((b) => b.toString('hex')),
    };
  }
}

let kvrocks: KvrocksService;
let engine: Engine;
let server: Server;
const directory = throwAwayDirectory('kvrocks-batches');
beforeAll(async () => {
  kvrocks = await startKvrocks();
  engine = await Engine.open(directory.path, { sync: 'none' });
  server = await Server.listen(engine, { port: 0 });
});
afterAll(async () => {
  await server.close();
  await engine.close();
  directory.remove();
  await kvrocks.stop();
});

it('the same commands write the same batches', { timeout: 600_000 }, async () => {
  const random = SeededRandom.fromEnvironment('batches');
  const next = randomCommands(random);
  const theirs = new Side(await RespConnection.open(parseRedisUrl(kvrocks.url)));
  const ours = new Side(await RespConnection.open({ host: '127.0.0.1', port: server.port }));
  await theirs.run(['PING']);
  await ours.run(['PING']);
  const tally = new Map<string, { count: number; text: string[] }>();
  const history: string[] = [];
  for (let i = 0; i < commandCount; i++) {
    const words = next();
    const text = words.map((word) => JSON.stringify(word.toString('latin1'))).join(' ');
    history.push(text);
    const left = await ours.run(words);
    const right = await theirs.run(words);
    const same = JSON.stringify(left.batches) === JSON.stringify(right.batches);
    const sameReply = JSON.stringify(left.reply) === JSON.stringify(right.reply);
    if (!same || !sameReply) {
      const kind = `${String(words[0])} ${same ? 'reply' : 'batch'}${sameReply ? '' : '+reply'}`;
      const entry = tally.get(kind) ?? { count: 0, text: [] };
      entry.count++;
      if (entry.text.length < 4)
        entry.text.push(
          `${text}\n    ours   ${JSON.stringify(left.reply)?.slice(0, 300)}\n    theirs ${JSON.stringify(right.reply)?.slice(0, 300)}` +
            (same
              ? ''
              : `\n    ours   ${left.batches.join('\n           ').slice(0, 900)}\n    theirs ${right.batches.join('\n           ').slice(0, 900)}`) +
            `\n    history ${history
              .filter((line) =>
                words.slice(1).some((w) => String(w).length > 1 && line.includes(JSON.stringify(String(w)))),
              )
              .slice(-4)
              .join(' ; ')
              .slice(0, 500)}`,
        );
      tally.set(kind, entry);
      if (!same) {
        await ours.run(['FLUSHALL']);
        await theirs.run(['FLUSHALL']);
        history.length = 0;
      }
    }
  }
  for (const [kind, { count, text }] of [...tally].sort())
    console.log(`${kind}: ${count}\n  ${text.join('\n  ')}`);
  expect(tally.size).toBe(0);
});
