import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, LogDirectoryReader } from '../../src/engine/index.js';
import { encodeCommand, ReplyError, ReplyParser, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';

const fixtures = fileURLToPath(new URL('../fixtures/kvrocks/', import.meta.url));

interface Captured {
  readonly request: string;
  readonly reply: string;
  readonly resp3?: boolean;
}

const captured = readFileSync(`${fixtures}pollupdates-replies.jsonl`, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Captured);

/** An argument may be empty: `MAX ` with nothing behind the blank was captured that way. */
const encode = (request: string): Buffer => encodeCommand(...request.split(' '));

describe('POLLUPDATES over the history that was captured from a real Kvrocks', () => {
  const directory = throwAwayDirectory('pollupdates');
  let engine: Engine;
  let server: Server;
  let client: RawClient;

  beforeAll(async () => {
    const logDirectory = throwAwayDirectory('pollupdates-log');
    copyFileSync(`${fixtures}wal/kvrocks-000010.log`, join(logDirectory.path, '000010.log'));
    engine = await Engine.open(directory.path, { sync: 'none' });
    const reader = new LogDirectoryReader(logDirectory.path, 0);
    // The last record of that log is no batch; it was written after these replies were captured.
    for (let i = 0; i < 231; i++) {
      const batch = reader.next();
      if (batch !== undefined) engine.commit(Buffer.from(batch.bytes));
    }
    reader.close();
    logDirectory.remove();
    await engine.whenDurable(engine.sequence);
    server = await Server.listen(engine, { port: 0 });
    client = await RawClient.open(server.port);
  });
  afterAll(async () => {
    client.close();
    await server.close();
    await engine.close();
    directory.remove();
  });

  it('stands at the sequence number of the captured store', () => {
    expect(engine.sequence).toBe(495);
  });

  // FORMAT RESP came with the next version of Kvrocks, FORMAT JSON is ours.
  const requests = captured.filter(
    ({ request, resp3 }) =>
      /^(POLLUPDATES|APPLYBATCH|LOLWUT)/.test(request) && !resp3 && !/FORMAT (RESP|JSON)/.test(request),
  );
  it.each(requests)('answers $request byte for byte', async ({ request, reply }) => {
    expect(await client.ask(encode(request), reply)).toBe(reply);
  });

  it('tells of its commands what the captured store told, and behind that what Redis 7 tells', async () => {
    const request = 'COMMAND INFO pollupdates applybatch';
    const parser = new ReplyParser();
    parser.feed(Buffer.from(captured.find((each) => each.request === request)?.reply ?? ''));
    const connection = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const told = replyText(await connection.call(...request.split(' '))) as unknown[][];
    expect(told.map((info) => info.length)).toEqual([10, 10]);
    expect(told.map((info) => info.slice(0, 6))).toEqual(replyText(parser.next() ?? null));
    connection.close();
  });

  it('gives everything when next_sequence is fed back, whatever MAX', async () => {
    for (const max of [1, 2, 7, 1000]) {
      const connection = await RespConnection.open({ host: '127.0.0.1', port: server.port });
      let sequence = 0;
      let counted = 0;
      for (;;) {
        const reply = (await connection.call('POLLUPDATES', sequence, 'MAX', max, 'STRICT')) as [
          unknown,
          number,
          unknown,
          number,
          unknown,
          Buffer[],
        ];
        const updates = reply[5];
        if (updates.length === 0) break;
        expect(updates.length).toBeLessThanOrEqual(max);
        for (const update of updates) counted += Buffer.from(update.toString(), 'hex').readUInt32LE(8);
        expect(reply[1]).toBeGreaterThan(sequence);
        sequence = reply[1];
      }
      expect([sequence, counted]).toEqual([495, 495]);
      connection.close();
    }
  });
});

describe('POLLUPDATES and its neighbours', () => {
  const directory = throwAwayDirectory('pollupdates-own');
  let engine: Engine;
  let server: Server;

  beforeAll(async () => {
    engine = await Engine.open(directory.path);
    server = await Server.listen(engine, { port: 0, password: 'secret' });
  });
  afterAll(async () => {
    await server.close();
    await engine.close();
    directory.remove();
  });

  it('answers RESP3 as the captured store did', async () => {
    const client = await RawClient.open(server.port);
    client.write(encodeCommand('AUTH', 'secret'));
    await client.read(5);
    for (let i = 1; i <= 12; i++) client.write(encodeCommand('SET', i === 11 ? 'x' : `k${i}`, '1'));
    await client.read(5 * 12);
    const expected = JSON.parse(readFileSync(`${fixtures}pollupdates-resp3.txt`, 'utf8')) as string;
    const request = Buffer.concat([
      encodeCommand('AUTH', 'secret'),
      encodeCommand('HELLO', 3),
      encodeCommand('POLLUPDATES', 10, 'MAX', 1),
    ]);
    expect(await client.ask(request, expected)).toBe(expected);
    client.close();
  });

  it('applies a batch under new sequence numbers, and nothing of a malformed one', async () => {
    const connection = await RespConnection.open({
      host: '127.0.0.1',
      port: server.port,
      password: 'secret',
    });
    const before = engine.sequence;
    const batch = new WriteBatchBuilder()
      .put(0, Buffer.from('raw\r\n\0'), Buffer.alloc(70_000, 7))
      .delete(0, Buffer.from('x'));
    const bytes = Buffer.from(batch.finish(4711));
    expect(await connection.call('APPLYBATCH', bytes)).toBe(1);
    expect(await connection.call('SEQUENCE')).toBe(before + 2);
    expect(engine.get(0, Buffer.from('raw\r\n\0'))?.length).toBe(70_000);
    for (const bad of [
      bytes.subarray(0, bytes.length - 1),
      Buffer.concat([bytes, Buffer.of(0x7f)]),
      Buffer.alloc(12, 1),
    ])
      expect(await connection.call('APPLYBATCH', bad)).toBeInstanceOf(ReplyError);
    const unknownFamily = new WriteBatchBuilder().put(99, Buffer.from('a'), Buffer.from('b')).finish();
    expect(await connection.call('APPLYBATCH', unknownFamily)).toMatchObject({
      message: expect.stringContaining('column family 99'),
    });
    expect(engine.sequence).toBe(before + 2);
    connection.close();
  });

  it('never shows a batch before it is durable', async () => {
    const connection = await RespConnection.open({
      host: '127.0.0.1',
      port: server.port,
      password: 'secret',
    });
    const sequence = engine.sequence;
    engine.commit(new WriteBatchBuilder().put(0, Buffer.from('pending'), Buffer.from('1')).finish());
    const reply = (await connection.call('POLLUPDATES', sequence)) as unknown[];
    expect(reply[3] as number).toBeLessThanOrEqual(engine.durableSequence);
    await engine.whenDurable(sequence + 1);
    const later = (await connection.call('POLLUPDATES', sequence)) as [
      unknown,
      number,
      unknown,
      number,
      unknown,
      Buffer[],
    ];
    expect([later[1], later[5].length]).toEqual([sequence + 1, 1]);
    connection.close();
  });
});

describe('POLLUPDATES of a log that is removed meanwhile', () => {
  it('answers what is left of it, then where it begins, and STRICT that what was asked for is gone', async () => {
    const directory = throwAwayDirectory('pollupdates-removed');
    const engine = await Engine.open(directory.path, {
      sync: 'none',
      segmentBytes: 4096,
      retention: { keepMs: -60_000, keepBytes: 0, intervalMs: 3_600_000 },
    });
    const server = await Server.listen(engine, { port: 0 });
    const [calm, strict] = await Promise.all(
      [1, 2].map(() => RespConnection.open({ host: '127.0.0.1', port: server.port })),
    );
    for (let i = 0; i < 100; i++) await calm.call('SET', `key ${i}`, 'v'.repeat(200));
    const poll = async (connection: RespConnection, after: number, ...words: string[]): Promise<number[]> => {
      const reply = await connection.call('POLLUPDATES', after, 'MAX', ...words, 'FORMAT', 'RAW');
      if (reply instanceof ReplyError) throw reply;
      return (reply as unknown[]).filter((part) => typeof part === 'number');
    };
    for (const connection of [calm, strict]) await poll(connection, 0, '3');
    await engine.flush();
    await engine.trimLog();
    const { firstLogSequence } = engine.stats();
    for (const [connection, words] of [
      [calm, []],
      [strict, ['STRICT']],
    ] as const) {
      const [next] = await poll(connection, 3, '1000', ...words);
      expect(next).toBeGreaterThan(3);
      expect(next).toBeLessThan(firstLogSequence);
      const rest = poll(connection, next, '1000', ...words);
      if (words.length === 0) expect((await rest)[0]).toBe(100);
      else await expect(rest).rejects.toThrow(`expected ${next + 1} but got ${firstLogSequence}`);
    }
    for (const connection of [calm, strict]) connection.close();
    await server.close();
    await engine.close();
    directory.remove();
  });
});
