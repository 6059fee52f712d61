import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSink } from '../../config/index.js';
import { WebhookSink, type WebhookSinkOptions, webhookSink } from '../../sinks/webhook/index.js';
import { retryAfterMs } from '../../sinks/webhook/verdict.js';
import { SampleHistory } from '../../src/kit/conformance/sample-history.js';
import { type Position, parseEvent } from '../../src/kit/index.js';
import { snapshotOf } from '../../src/migration/step-writer.js';
import { HttpReceiver } from '../support/http-receiver.js';
import { pluginContext } from '../support/plugin-context.js';

const signal = new AbortController().signal;

describe('the webhook sink', () => {
  let receiver: HttpReceiver;
  let history: SampleHistory;
  const sinks: WebhookSink[] = [];

  beforeEach(async () => {
    receiver = await HttpReceiver.open();
    history = new SampleHistory();
    history.appendMany(20);
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  const open = (options: Partial<WebhookSinkOptions> = {}): WebhookSink => {
    const sink = new WebhookSink(
      {
        ...{ url: receiver.url, secret: '', headers: {}, body: 'json', source: '' },
        ...{ maxEvents: 1000, maxBytes: 1024 * 1024, timeout: 60_000, ...options },
      },
      pluginContext(),
    );
    sinks.push(sink);
    return sink;
  };

  const sequences = (): number[] =>
    receiver.requests.flatMap(({ body }) =>
      (JSON.parse(body.toString()) as { events: object[] }).events.map(
        (event) => parseEvent(JSON.stringify(event)).change.seq,
      ),
    );

  it('posts events in requests of whole transactions, within the limits, each with its key', async () => {
    const sink = open({ maxEvents: 8 });
    const claim = await sink.claim();
    const batch = history.sinkBatch(0, 20);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    const seen = sequences();
    expect(seen).toEqual(batch.transactions.flatMap(({ changes }) => changes.map(({ seq }) => seq)));
    let next = 1;
    for (const { headers, body } of receiver.requests) {
      const { pipeline, first, last, events } = JSON.parse(body.toString());
      expect({ pipeline, first }).toEqual({ pipeline: 'orders', first: next });
      expect(headers['idempotency-key']).toBe(`orders/${first}-${last}`);
      expect(headers['content-type']).toBe('application/json');
      expect(events.length).toBeLessThanOrEqual(8);
      next = last + 1;
    }
    expect(receiver.requests.length).toBeGreaterThan(5);
  });

  it('signs what it sends, time included', async () => {
    const sink = open({ secret: 'the key', headers: { authorization: 'Bearer abc' } });
    const before = Math.floor(Date.now() / 1000);
    await sink.write(history.sinkBatch(0, 3), await sink.claim(), signal);
    const [{ headers, body }] = receiver.requests;
    const [, seconds, digest] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['tailrace-signature'])) ?? [];
    expect(digest).toBe(createHmac('sha256', 'the key').update(`${seconds}.${body}`).digest('hex'));
    expect(Number(seconds)).toBeGreaterThanOrEqual(before);
    expect(Number(seconds)).toBeLessThanOrEqual(Date.now() / 1000);
    expect(headers.authorization).toBe('Bearer abc');
  });

  it('gives up at once at a port that nothing may be posted to', async () => {
    const sink = open({ url: 'http://127.0.0.1:6666/hook' });
    const outcome = await sink.write(history.sinkBatch(0, 3), await sink.claim(), signal);
    expect(outcome).toMatchObject({
      kind: 'fatal',
      error: {
        code: 'SINK_REFUSED',
        message: expect.stringContaining('its port belongs to another protocol'),
      },
    });
  });

  it.each([
    ['http://ada:secret@127.0.0.1/hook', {}, 'headers.authorization'],
    ['http://127.0.0.1/hook', { 'two words': 'x' }, 'does not allow: two words'],
    ['http://127.0.0.1/hook', { authorization: 'a line\nand another' }, 'does not allow: authorization'],
  ])('says beforehand what could never be sent: %s %j', async (url, headers, said) => {
    await expect(createSink(webhookSink, { url, headers }, pluginContext())).rejects.toThrow(said);
  });

  it.each([429, 500, 503, 408])(
    'may try again after %i, and does not repeat what was delivered',
    async (status) => {
      const sink = open({ maxEvents: 5 });
      const claim = await sink.claim();
      let answers = 0;
      receiver.answer = (_, response) => {
        if (++answers === 3) response.writeHead(status, { 'retry-after': '7' });
        response.end('busy');
      };
      const batch = history.sinkBatch(0, 20);
      expect(await sink.write(batch, claim, signal)).toMatchObject({
        kind: 'retryable',
        afterMs: 7_000,
        error: { code: 'SINK_UNREACHABLE', message: expect.stringContaining(`it answered ${status}: busy`) },
      });
      receiver.requests.splice(2, 1); // the one that was not taken
      expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
      expect(sequences()).toEqual(batch.transactions.flatMap(({ changes }) => changes.map(({ seq }) => seq)));
    },
  );

  it('delivers every part of a snapshot, though all are of one sequence number, each with a key of its own', async () => {
    const sink = open({ maxEvents: 3 });
    const claim = await sink.claim();
    const { transactions, byteLength } = history.sinkBatch(0, 20);
    let previous: Position | null = null;
    let index = 1_000_000;
    for (let step = 0; step < 4; step++) {
      const part = transactions.slice(step * 5, step * 5 + 5).map(({ changes }) =>
        snapshotOf(
          changes.map((change) => ({ ...change, seq: 50, index: index++ })),
          50,
        ),
      );
      const position: Position = { sequence: 50, count: 0, crc: step };
      const batch = { transactions: part, position, previous, byteLength };
      expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
      previous = position;
    }
    expect(sequences().length).toBe(index - 1_000_000);
    const keys = receiver.requests.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys[0]).toBe('orders/50.1000000-50.1000002');
  });

  it('finds the transaction that the receiver does not want, and delivers the others', async () => {
    const sink = open();
    const claim = await sink.claim();
    const taken: number[] = [];
    receiver.answer = ({ body }, response) => {
      const { events } = JSON.parse(body.toString()) as { events: { tx: { first: number }; seq: number }[] };
      const unwanted = history.batches[12].sequence;
      if (events.some(({ tx }) => tx.first === unwanted)) response.writeHead(422).end('no such thing');
      else {
        taken.push(...events.map(({ seq }) => seq));
        response.end();
      }
    };
    const batch = history.sinkBatch(0, 20);
    const outcome = await sink.write(batch, claim, signal);
    expect(outcome).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 12, change: 0, reason: expect.stringContaining('no such thing') }],
    });
    const transactions = batch.transactions.map((one, at) => (at === 12 ? { ...one, changes: [] } : one));
    expect(await sink.write({ ...batch, transactions }, claim, signal)).toEqual({ kind: 'durable' });
    expect(taken).toEqual(transactions.flatMap(({ changes }) => changes.map(({ seq }) => seq)));
  });

  it('sends less at a time to a receiver that finds a request too large', async () => {
    const sink = open();
    const claim = await sink.claim();
    receiver.answer = ({ body }, response) => response.writeHead(body.length > 1500 ? 413 : 204).end();
    expect(await sink.write(history.sinkBatch(0, 20), claim, signal)).toEqual({ kind: 'durable' });
    history.append([{ key: Buffer.from('large'), value: Buffer.alloc(3000) }]);
    expect(await sink.write(history.sinkBatch(20, 21), claim, signal)).toMatchObject({ kind: 'poison' });
  });

  it('ends at once when it is not allowed, sent elsewhere, or not found', async () => {
    const sink = open({ url: `${receiver.url}?token=secret` });
    const claim = await sink.claim();
    for (const [status, remedy] of [
      [401, 'secret'],
      [403, 'secret'],
      [302, 'redirect'],
      [404, 'address'],
    ] as const) {
      receiver.answer = (_, response) => response.writeHead(status, { location: '/there' }).end();
      const outcome = await sink.write(history.sinkBatch(0, 1), claim, signal);
      expect(outcome).toMatchObject({
        kind: 'fatal',
        error: { code: 'SINK_REFUSED', remedy: expect.stringContaining(remedy) },
      });
      if (outcome.kind === 'fatal') expect(outcome.error.message).not.toContain('token');
    }
  });

  it('gives up waiting for an answer in time, and on a receiver that is away', async () => {
    const sink = open({ timeout: 2_000 });
    const claim = await sink.claim();
    receiver.answer = () => undefined;
    expect(await sink.write(history.sinkBatch(0, 1), claim, signal)).toMatchObject({
      kind: 'retryable',
      error: { message: expect.stringContaining('timeout') },
    });
    await receiver.close();
    expect(await sink.write(history.sinkBatch(0, 1), claim, signal)).toMatchObject({
      kind: 'retryable',
      error: { message: expect.stringContaining('ECONNREFUSED') },
    });
    await receiver.listen();
  });

  it('checks a receiver without delivering anything', async () => {
    const sink = open();
    expect(await sink.check(signal)).toMatchObject([{ name: 'connection', status: 'ok' }]);
    expect(receiver.requests.every(({ body }) => body.length === 0)).toBe(true);
    receiver.answer = (_, response) => response.writeHead(404).end();
    expect(await sink.check(signal)).toMatchObject([{ status: 'warn' }]);
    await receiver.close();
    expect(await sink.check(signal)).toMatchObject([{ status: 'fail' }]);
    await receiver.listen();
  });

  it('reads Retry-After as seconds or as a date, within bounds', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs('120', now)).toBe(120_000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
    expect(retryAfterMs('Wed, 31 Dec 2025 00:00:30 GMT', now)).toBe(0);
    expect(retryAfterMs('999999999', now)).toBe(3_600_000);
    expect(retryAfterMs('soon', now)).toBeUndefined();
    expect(retryAfterMs(null, now)).toBeUndefined();
  });
});
