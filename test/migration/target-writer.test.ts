import { describe, expect, it } from 'vitest';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import type { WriteOutcome } from '../../src/kit/index.js';
import { TargetWriter } from '../../src/migration/target-writer.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';

const { signal } = new AbortController();
const { log } = pluginContext('p');

describe('the writer of a migration', () => {
  it('ends soon when it is told to, although the target answers nothing to its claim', async () => {
    const sink = Object.assign(new ScriptedSink(), { claim: () => new Promise<never>(() => undefined) });
    const retry = { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 };
    const writer = new TargetWriter(sink, { name: 'target', retry, skipsRefused: false, log });
    const stop = new AbortController();
    const claiming = writer.claim(stop.signal);
    stop.abort(new Error('told to end'));
    await expect(claiming).rejects.toThrow('told to end');
  });

  it.each([
    ['lost', false],
    ['kept', true],
  ])('asks the target where it stands when what it accepted may be lost: %s', async (_, isKept) => {
    const history = new SampleHistory();
    history.appendMany(4);
    const sink = new ScriptedSink();
    const down = new Error('the server went down');
    const acceptAndGoDown = (apply: () => void): WriteOutcome => {
      if (isKept) apply();
      return { kind: 'accepted', durable: Promise.reject(down) };
    };
    sink.script = [(_batch, apply) => acceptAndGoDown(apply)];
    const retry = { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 };
    const writer = new TargetWriter(sink, { name: 'target', retry, skipsRefused: false, log });
    await writer.claim(signal);
    const expected: string[] = [];
    for (const at of [0, 2]) {
      const { transactions, position, byteLength } = history.sinkBatch(at, at + 2);
      await writer.write(transactions, position, byteLength, signal);
      for (const { changes } of transactions)
        for (const change of changes) if ('key' in change) expected.push(Buffer.from(change.key).toString());
    }
    expect(sink.keys).toEqual(expected);
    expect(writer.position).toEqual(history.positionAfter(4));
  });

  it('warns of a target that takes nothing for long without a line for each try', async () => {
    const history = new SampleHistory();
    history.appendMany(2);
    const sink = new ScriptedSink();
    const full = { kind: 'retryable', error: new Error('out of memory') } as const;
    sink.script = Array.from({ length: 50 }, () => () => full);
    const said: string[] = [];
    const retry = { initialMs: 0, maxMs: 0, giveUpAfterMs: 60_000 };
    const calm = { ...log, warn: (message: string) => void said.push(message) };
    const writer = new TargetWriter(sink, { name: 'target', retry, skipsRefused: false, log: calm });
    await writer.claim(signal);
    const { transactions, position, byteLength } = history.sinkBatch(0, 2);
    await writer.write(transactions, position, byteLength, signal);
    expect(sink.writes).toBe(51);
    expect(said.length).toBeLessThan(5);
  });

  it('stops when the target turns out to be where only another process can have brought it', async () => {
    const history = new SampleHistory();
    history.appendMany(4);
    const sink = new ScriptedSink();
    sink.script = [
      () => {
        sink.position = history.positionAfter(3);
        return { kind: 'unknown', error: new Error('cut') };
      },
    ];
    const retry = { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 };
    const writer = new TargetWriter(sink, { name: 'target', retry, skipsRefused: false, log });
    await writer.claim(signal);
    const { transactions, position, byteLength } = history.sinkBatch(0, 2);
    const written = writer.write(transactions, position, byteLength, signal);
    await expect(written).rejects.toMatchObject({ code: 'SINK_FENCED' });
    expect([sink.writes, sink.keys]).toEqual([1, []]);
  });

  it('says of a target that was emptied, and not that another process took it over', async () => {
    const history = new SampleHistory();
    history.appendMany(4);
    const sink = Object.assign(new ScriptedSink(), { readPosition: async () => sink.position });
    const retry = { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 };
    const writer = new TargetWriter(sink, { name: 'target', retry, skipsRefused: false, log });
    await writer.claim(signal);
    const write = async (from: number): Promise<void> => {
      const { transactions, position, byteLength } = history.sinkBatch(from, from + 2);
      await writer.write(transactions, position, byteLength, signal);
    };
    await write(0);
    sink.script = [
      () => {
        sink.position = null;
        return { kind: 'unknown', error: new Error('cut') };
      },
    ];
    await expect(write(2)).rejects.toMatchObject({
      code: 'HISTORY_MISMATCH',
      message: 'target was emptied, or lost its newest writes',
    });
  });

  it.each([
    ['emptied', 0, 'HISTORY_MISMATCH'],
    ['taken over', 3, 'SINK_FENCED'],
  ])('looks at a target that nothing is written to for long: %s', async (_, batches, code) => {
    const history = new SampleHistory();
    history.appendMany(4);
    const sink = Object.assign(new ScriptedSink(), { readPosition: async () => sink.position });
    const retry = { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 };
    const writer = new TargetWriter(sink, {
      name: 'target',
      retry,
      skipsRefused: false,
      log,
      lookIntervalMs: 0,
    });
    await writer.claim(signal);
    const { transactions, position, byteLength } = history.sinkBatch(0, 2);
    await writer.write(transactions, position, byteLength, signal);
    await writer.requireHeld(signal);
    sink.position = batches === 0 ? null : history.positionAfter(batches);
    await expect(writer.requireHeld(signal)).rejects.toMatchObject({ code });
  });
});
