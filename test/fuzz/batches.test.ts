import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { CommandEncoder, Decoder, EventEncoder } from '../../src/data-model/index.js';
import { Engine } from '../../src/engine/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { ByteWriter, ReplyError, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { validateWriteBatch } from '../../src/write-batch/index.js';
import { readHistoryBatches } from '../data-model/captured-history.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { mutate } from './mutate.js';

/** MUTATIONS=1000000 is the long setting. */
const mutations = Number(process.env['MUTATIONS'] ?? 15_000);

/** What may be thrown of bytes that are no batch. */
const isRefusal = (error: unknown): boolean =>
  isTailraceError(error, 'BATCH_CORRUPT') || isTailraceError(error, 'BATCH_RECORD_UNKNOWN');

describe('damaged batches', () => {
  it('are decoded, or refused by name, and never anything else', () => {
    const random = SeededRandom.fromEnvironment('damaged batches');
    const batches = readHistoryBatches();
    const out = new ByteWriter();
    const [events, commands] = [new EventEncoder({ connector: 'fuzz', name: 'fuzz' }), new CommandEncoder()];
    let decoder = new Decoder();
    let decoded = 0;
    let refused = 0;
    for (let i = 0; i < mutations; i++) {
      if (random.below(50) === 0) decoder = new Decoder();
      const bytes = mutate(batches[random.below(batches.length)], random);
      try {
        const transaction = decoder.decode(bytes);
        out.clear();
        events.append(out, transaction);
        commands.append(out, transaction);
        expect(out.length).toBeLessThan(64 * 1024 * 1024);
        decoded++;
      } catch (error) {
        if (!isRefusal(error)) throw new Error(`mutation ${i}: ${bytes.toString('hex')}`, { cause: error });
        refused++;
      }
    }
    expect(Math.min(decoded, refused)).toBeGreaterThan(mutations / 100);
  });

  it('are applied whole or not at all, and leave a server that answers', async () => {
    const random = SeededRandom.fromEnvironment('damaged batches applied');
    const directory = throwAwayDirectory('fuzz-apply');
    const engine = await Engine.open(directory.path, { sync: 'none' });
    const defects: unknown[] = [];
    const server = await Server.listen(engine, { port: 0, onDefect: (error) => defects.push(error) });
    const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const batches = readHistoryBatches();
    const keys = ['KEYS', 'SCAN', 'DBSIZE', 'RANDOMKEY'];
    for (let i = 0; i < mutations / 10; i++) {
      const bytes = mutate(batches[random.below(batches.length)], random);
      const before = engine.sequence;
      const reply = await client.call('APPLYBATCH', bytes);
      if (reply instanceof ReplyError) expect(engine.sequence).toBe(before);
      else expect(engine.sequence).toBe(before + validateWriteBatch(bytes).count);
    }
    for (const command of keys) {
      const reply = await client.call(
        command,
        ...(command === 'KEYS' ? ['*'] : command === 'SCAN' ? ['0'] : []),
      );
      expect(reply).not.toBeInstanceOf(ReplyError);
    }
    expect(defects).toEqual([]);
    client.close();
    await server.close();
    await engine.close();
    directory.remove();
  });
});
