import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processSurroundings, readPipelines } from '../../config/index.js';
import { degradedParts } from '../../src/admin/health.js';
import { builtIn } from '../../src/cli/registry.js';
import { WholeRun } from '../../src/cli/whole-run.js';
import { TailraceError } from '../../src/errors/index.js';
import type { Sink, Source } from '../../src/kit/index.js';
import { FileOffsetsStore, type OffsetsStore } from '../../src/pipeline/index.js';
import { history, never, pipelineOf } from '../pipeline/pipeline-setup.js';
import { throwAwayDirectory } from '../services/index.js';
import { ListSource } from '../support/list-source.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const sample = history(5);
const served = useServer('whole-run-source');

/** A pipeline whose source, as its file says, is a server, as a rule one that is not there: only snapshots ask it. */
const wholeRun = (
  snapshot: string,
  {
    source = new ListSource(sample.batches),
    sink = new ScriptedSink(),
    offsets,
    port = 1,
  }: Partial<Parts> = {},
): WholeRun => {
  const text = `name: p
source: { connector: kvrocks, url: "redis://127.0.0.1:${port}", snapshot: ${snapshot}, snapshotState: ${directory.path} }
sinks: [{ sink: stdout, name: sink }]
`;
  const [config] = readPipelines(text, 'p.yaml', builtIn, processSurroundings, []);
  return new WholeRun(pipelineOf(source, sink), {
    config,
    sinks: [{ name: 'sink', sink }],
    offsets,
    retry: { initialMs: 1, maxMs: 10, giveUpAfterMs: Number.POSITIVE_INFINITY },
    log: pluginContext('p').log,
  });
};

interface Parts {
  readonly source: Source;
  readonly sink: Sink;
  readonly offsets: OffsetsStore;
  readonly port: number;
}

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('whole-run');
});
afterEach(() => directory.remove());

describe('the state of a pipeline from a file', () => {
  it('is failed when another process owns it', async () => {
    await using first = new FileOffsetsStore(directory.path);
    await using second = new FileOffsetsStore(directory.path);
    const lease = await first.own('p');
    const whole = wholeRun('never', { offsets: second });
    expect(whole.status().state).toBe('starting');
    await expect(whole.run(never)).rejects.toMatchObject({ code: 'PIPELINE_OWNED' });
    const error = expect.stringContaining('pipeline p is run by');
    expect(whole.status()).toMatchObject({ state: 'failed', error });
    expect(degradedParts([whole.status()])).toContainEqual({
      pipeline: 'p',
      reason: expect.stringMatching(/^has failed: pipeline p is run by/),
    });
    await lease.release();
    await whole.run(never);
    expect(whole.status()).toMatchObject({ state: 'stopped', error: null, pulledBatches: 5 });
  });

  it('is failed when its snapshot fails, and stopped when it is told to stop before the end of one', async () => {
    const claim = () => Promise.reject(new TailraceError('SINK_REFUSED', 'no'));
    const refused = wholeRun('only', { sink: Object.assign(new ScriptedSink(), { claim }) });
    await expect(refused.run(never)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
    expect(refused.status()).toMatchObject({ state: 'failed', error: 'no' });

    const waiting = wholeRun('initial');
    const running = waiting.run(never);
    waiting.stop();
    await running;
    expect(waiting.status().state).toBe('stopped');
  });

  it('tells how far its snapshot has come, and where that leaves its sink', async () => {
    for (let at = 0; at < 5; at++) await served.client.call('SET', `key:${at}`, 'x');
    const sink = new ScriptedSink();
    const written = new AbortController();
    sink.script.push(async (_, apply) => {
      await once(written.signal, 'abort');
      apply();
      return { kind: 'durable' };
    });
    const whole = wholeRun('only', { sink, port: served.server.port });
    const running = whole.run(never);
    await waitUntil('the snapshot waits for its sink', () => sink.writes === 1);
    expect(degradedParts([whole.status()])).toEqual([
      { pipeline: 'p', reason: 'is starting' },
      { pipeline: 'p', sink: 'sink', reason: 'is given a snapshot: 0 keys so far' },
    ]);
    written.abort();
    await running;
    const position = expect.objectContaining({ sequence: served.engine.sequence });
    expect(whole.status()).toMatchObject({ state: 'stopped', sinks: [{ snapshotKeys: 5, position }] });
  });

  it('is no failure while a new snapshot mends it', async () => {
    const purged = new TailraceError('WAL_PURGED', 'gone');
    const source = Object.assign(new ListSource([]), { open: () => Promise.reject(purged) });
    const sink = new ScriptedSink();
    sink.position = sample.positionAfter(1);
    const whole = wholeRun('when-needed', { source, sink });
    const running = whole.run(never);
    await waitUntil('it waits for the server', () => {
      const { state, sinks } = whole.status();
      return state === 'starting' && sinks[0]?.state === 'failed';
    });
    whole.stop();
    await running;
    expect(whole.status().state).toBe('stopped');
  });
});
