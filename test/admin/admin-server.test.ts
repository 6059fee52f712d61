import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminServer, type AdminStatus, PipelineMetrics } from '../../src/admin/index.js';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { ListSource } from '../support/list-source.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { waitUntil } from '../support/wait-until.js';

const { log } = pluginContext('p');
const sample = new SampleHistory();
sample.appendMany(100);

/** Ends only when it is told to. */
class Endless extends ListSource {
  override async pull(...parameters: Parameters<ListSource['pull']>) {
    return (await super.pull(...parameters)) ?? { batches: [], latestSequence: 1_000 };
  }

  async retention() {
    return { firstSequence: 1, keptMs: 60_000 };
  }
}

let good: ScriptedSink;
let bad: ScriptedSink;
let pipeline: Pipeline;
let server: AdminServer;
/** The one that was made last. */
let source: Endless | undefined;
let running: Promise<void>;
const stop = new AbortController();

beforeEach(async () => {
  good = new ScriptedSink();
  bad = new ScriptedSink();
  const metrics = new PipelineMetrics(() => [pipeline.status()]);
  pipeline = new Pipeline({
    name: 'a pipeline',
    source: () => (source = new Endless(sample.batches)),
    sinks: [
      { name: 'good', sink: good },
      { name: 'bad', sink: bad },
    ],
    log,
    onStage: (stage, sink, ms) => metrics.observe('a pipeline', sink, stage, ms),
  });
  server = await AdminServer.listen({
    host: '127.0.0.1',
    port: 0,
    version: '1.2.3',
    pipelines: [pipeline],
    metrics,
    log,
  });
});
afterEach(async () => {
  stop.abort();
  pipeline.stop();
  await running.catch(() => undefined);
  await server[Symbol.asyncDispose]();
});

const ask = async (path: string, method = 'GET', headers: Record<string, string> = {}) => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method, headers });
  const text = await response.text();
  return { status: response.status, text, json: <Shape>() => JSON.parse(text) as Shape };
};
const start = async (): Promise<void> => {
  running = pipeline.run(new AbortController().signal);
  running.catch(() => undefined); // awaited after the test
  await waitUntil(
    'everything is delivered',
    () =>
      good.keys.length > 0 &&
      pipeline.status().sinks[0]?.position?.sequence === sample.positionAfter(100)?.sequence,
  );
};

describe('admin server', () => {
  it('tells health, readiness with what is degraded, and status', async () => {
    running = Promise.resolve();
    expect(await ask('/readyz')).toMatchObject({ status: 503 });
    await start();
    await waitUntil('both run', async () => (await ask('/readyz')).status === 200);
    expect((await ask('/healthz')).json()).toEqual({ status: 'ok', failed: [] });
    const status = (await ask('/status')).json<AdminStatus>();
    expect(status).toMatchObject({
      version: '1.2.3',
      pid: process.pid,
      pipelines: [
        {
          name: 'a pipeline',
          state: 'running',
          sinks: [{ name: 'good', position: sample.positionAfter(100) }, { name: 'bad' }],
        },
      ],
    });
    expect(status.pipelines[0]?.sinks[0]?.headroom).toEqual({
      sequences: (sample.positionAfter(100)?.sequence ?? 0) + 1,
      ms: expect.any(Number),
    });
    expect((await ask('/')).text).toContain('<title>tailrace</title>');
    expect((await ask('/nothing')).status).toBe(404);
  });

  it('says which sink has failed and why, and that the pipeline is healthy nevertheless', async () => {
    bad.script = [() => ({ kind: 'fatal', error: new Error('disk full') })];
    await start();
    await waitUntil('it has failed', () => pipeline.status().sinks[1]?.state === 'failed');
    const ready = await ask('/readyz');
    expect(ready.status).toBe(503);
    expect(ready.json()).toEqual({
      ready: false,
      degraded: [{ pipeline: 'a pipeline', sink: 'bad', reason: 'has failed: sink bad failed: disk full' }],
    });
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/pipelines/a%20pipeline/resume', 'POST')).status).toBe(202);
    await waitUntil('it is ready again', async () => (await ask('/readyz')).status === 200);
  });

  it('says that a pipeline has failed as a whole', async () => {
    for (const sink of [good, bad])
      sink.script = [() => ({ kind: 'fatal', error: new Error('no room left') })];
    running = pipeline.run(new AbortController().signal);
    running.catch(() => undefined); // awaited after the test
    await waitUntil('it has failed', () => pipeline.status().state === 'failed');
    const health = await ask('/healthz');
    expect([health.status, health.json()]).toEqual([503, { status: 'failed', failed: ['a pipeline'] }]);
  });

  it('says why the source cannot be reached, behind which nothing would lag', async () => {
    await start();
    await waitUntil('both run', async () => (await ask('/readyz')).status === 200);
    expect((await ask('/metrics')).text).toContain('tailrace_source_reachable{pipeline="a pipeline"} 1');
    if (source !== undefined) source.trouble = { reason: 'it is down', forMs: 12_345 };
    const ready = await ask('/readyz');
    const reason = 'its source has not been reached for 12 s: it is down';
    expect([ready.status, ready.json()]).toEqual([
      503,
      { ready: false, degraded: [{ pipeline: 'a pipeline', reason }] },
    ]);
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/metrics')).text).toContain('tailrace_source_reachable{pipeline="a pipeline"} 0');
    expect((await ask('/status')).json<AdminStatus>().pipelines[0]?.sourceTrouble?.reason).toBe('it is down');
  });

  it('claims nothing of a sink that was not reached yet, and says why', async () => {
    bad.failClaims = Number.POSITIVE_INFINITY;
    await start();
    await waitUntil('the good one runs', () => pipeline.status().sinks[0]?.state === 'running');
    const ready = await ask('/readyz');
    expect([ready.status, ready.text]).toEqual([503, expect.stringMatching(/tried again for \d+ s: down/)]);
    expect((await ask('/status')).json<AdminStatus>().pipelines[0]?.sinks[1]).toMatchObject({
      state: 'starting',
      position: null,
      lag: null,
      lagMs: null,
    });
    const { text } = await ask('/metrics');
    expect(text).toContain('tailrace_sink_running{pipeline="a pipeline",sink="bad"} 0');
    expect(text).not.toMatch(/^tailrace_(lag|position)_\w+\{.*sink="bad"/m);
    expect(text).toMatch(/^tailrace_lag_sequences\{.*sink="good"/m);
  });

  it('gives metrics as Prometheus reads them', async () => {
    bad.script = [() => ({ kind: 'fatal', error: new Error('disk full') })];
    await start();
    await waitUntil('it has failed', () => pipeline.status().sinks[1]?.state === 'failed');
    const { text } = await ask('/metrics');
    const value = (name: string, labels: string): number =>
      Number(new RegExp(`^${name}\\{${labels}\\} (\\S+)$`, 'm').exec(text)?.[1]);
    const of = 'pipeline="a pipeline",sink="good"';
    expect(value('tailrace_written_changes_total', of)).toBe(good.keys.length);
    expect(value('tailrace_position_sequence', of)).toBe(sample.positionAfter(100)?.sequence);
    expect(value('tailrace_lag_sequences', of)).toBe(1_000 - (sample.positionAfter(100)?.sequence ?? 0));
    expect(value('tailrace_lag_seconds', of)).toBeGreaterThan(0);
    expect(value('tailrace_credit_bytes_in_use', of)).toBe(0);
    expect(value('tailrace_stage_seconds_count', `${of},stage="write"`)).toBeGreaterThan(0);
    expect(value('tailrace_sink_errors_total', 'pipeline="a pipeline",sink="bad",kind="fatal"')).toBe(1);
    expect(value('tailrace_sink_running', 'pipeline="a pipeline",sink="bad"')).toBe(0);
    expect(value('tailrace_retention_headroom_sequences', of)).toBeGreaterThan(0);
    // Every line is a comment or a sample.
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .*|\w+(\{[^}]*\})? \S+|)$/);
    expect((await ask('/metrics')).text).toContain(
      `tailrace_written_changes_total{${of}} ${good.keys.length}`,
    );
  });

  it('pauses, resumes and stops a pipeline, and refuses what a page of another site sends', async () => {
    await start();
    const act = (action: string, headers = {}) => ask(`/pipelines/a%20pipeline/${action}`, 'POST', headers);
    expect((await act('pause', { origin: 'http://evil.example' })).status).toBe(403);
    expect((await act('pause', { origin: `http://127.0.0.1:${server.port}` })).status).toBe(202);
    await waitUntil('it is paused', () => pipeline.status().state === 'paused');
    expect((await ask('/readyz')).json()).toMatchObject({
      ready: false,
      degraded: [{ reason: 'is paused' }],
    });
    await act('resume');
    await waitUntil('it runs', () => pipeline.status().state === 'running');
    expect((await act('explode')).status).toBe(404);
    const other = await ask('/pipelines/other/stop', 'POST');
    expect([other.status, await other.json()]).toEqual([404, { error: 'there is no pipeline other' }]);
    expect((await ask('/pipelines/%/stop', 'POST')).status).toBe(404);
    expect((await ask('/status', 'DELETE')).status).toBe(405);
    await act('stop');
    await running;
    expect(pipeline.status().state).toBe('stopped');
  });

  it('refuses a page whose own name leads to this machine, and is asked as localhost or by address', async () => {
    running = Promise.resolve();
    const options = { version: '1', pipelines: [], metrics: new PipelineMetrics(() => []), log };
    await using open = await AdminServer.listen({ ...options, host: '0.0.0.0', port: 0 });
    const statusAs = (host: string, port = server.port): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = { host, origin: `http://${host}` };
        const asked = request({ port, host: '127.0.0.1', path: '/status', headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        asked.on('error', reject).end();
      });
    expect(await statusAs(`evil.example:${server.port}`)).toBe(403);
    expect(await statusAs('localhost.evil.example')).toBe(403);
    expect(await statusAs('this-machine.example', open.port)).toBe(200); // it is for others, by whatever name
    for (const name of ['localhost', 'app.localhost', '127.0.0.1', '[::1]', '10.0.0.1'])
      expect(await statusAs(`${name}:${server.port}`)).toBe(200);
  });

  it('survives bad requests, and closes while one is open', async () => {
    running = Promise.resolve();
    const open = request({ port: server.port, host: '127.0.0.1', path: '/status', method: 'POST' });
    open.on('error', () => undefined);
    open.write('half a body');
    expect((await ask('//%zz?%')).status).toBe(404);
    await server[Symbol.asyncDispose]();
  });

  it('says so when the address is taken', async () => {
    running = Promise.resolve();
    const { port } = server;
    await expect(
      AdminServer.listen({
        host: '127.0.0.1',
        port,
        version: '',
        pipelines: [],
        metrics: new PipelineMetrics(() => []),
        log,
      }),
    ).rejects.toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });
});
