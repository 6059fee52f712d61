import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RespCommands } from '../../sinks/file/batch-encoding.js';
import { FileSink } from '../../sinks/file/index.js';
import { appendStringPut, Decoder, type SourceBatch, WriteBatchBuilder } from '../../src/kit/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { ListSource } from '../support/list-source.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { never, pipelineOf } from './pipeline-setup.js';

const batchOf = (count: number): SourceBatch => {
  const builder = new WriteBatchBuilder();
  for (let at = 0; at < count; at++)
    appendStringPut(builder, Buffer.from(`key:${at}`), Buffer.from(`of ${at}`));
  return { sequence: 1, count, bytes: Buffer.from(builder.finish(1)) };
};

it('a large transaction is decoded in turns, between which others have theirs, and delivered whole', async () => {
  const count = 200_000;
  const sink = new ScriptedSink();
  const source = new ListSource([batchOf(count)]);
  let turns = 0;
  let turnsBefore = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  sink.script.push((batch, apply) => {
    turnsBefore = turns;
    expect(batch.transactions.map(({ changes }) => changes.length)).toEqual([count]);
    apply();
    return { kind: 'durable' };
  });
  const pulled = source.pull.bind(source);
  source.pull = async (limit) => {
    const batches = await pulled(limit);
    turns = 0;
    if (batches !== null && batches.batches.length > 0) turn();
    return batches;
  };
  try {
    await pipelineOf(source, sink).run(never);
  } finally {
    isOver = true;
  }
  expect(turnsBefore).toBeGreaterThan(4);
  expect(sink.keys[count - 1]).toBe(`key:${count - 1}`);
});

it('a large transaction becomes a file of commands in turns, each change of it once', async () => {
  const count = 200_001;
  const transactions = [new Decoder().decode(batchOf(count).bytes)];
  const position = { sequence: count, count, crc: 0 };
  let bytes: Buffer | undefined;
  const encoding = new RespCommands({ default: '' })
    .encode({ transactions, position, previous: null, byteLength: 0 })
    .then((encoded) => {
      bytes = encoded;
    });
  let turns = 0;
  for (; bytes === undefined; turns++) await new Promise((resolve) => setImmediate(resolve));
  await encoding;
  expect(turns).toBeGreaterThan(2);
  const keys = [...bytes.toString('latin1').matchAll(/\r\nkey:(\d+)\r\n/g)].map(([, at]) => Number(at));
  expect(keys.length).toBe(count);
  expect(keys.findIndex((key, at) => key !== at)).toBe(-1);
});

it('a large transaction is written to a file in turns, each change of it once', async () => {
  const directory = throwAwayDirectory('large-transaction');
  const path = join(directory.path, 'out.ndjson');
  const sink = new FileSink({ path, source: '', sync: false }, pluginContext('p'));
  await pipelineOf(new ListSource([batchOf(30_001)]), sink).run(never);
  await sink[Symbol.asyncDispose]();
  const events = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number; key: string; tx: object });
  expect(events.map(({ key }) => key)).toEqual(Array.from({ length: 30_001 }, (_, at) => `key:${at}`));
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 30_001 }, (_, at) => at + 1));
  for (const { tx } of events) expect(tx).toEqual({ first: 1, last: 30_001, size: 30_001 });
  directory.remove();
});
