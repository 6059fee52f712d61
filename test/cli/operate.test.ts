import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AdminServer, PipelineMetrics } from '../../src/admin/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { freePort } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { runTailrace as tailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';
import { exitOf, ProgramFolder } from './program-folder.js';

const { path, write, start, fillStore, keysIn } = new ProgramFolder('operate');

/** An admin server without pipelines, on a port that `fetch` refuses. */
const listenOnForbiddenPort = async (): Promise<AdminServer> => {
  const options = {
    version: '1',
    pipelines: [],
    metrics: new PipelineMetrics(() => []),
    log: pluginContext().log,
  };
  for (const port of [6667, 6668, 6669, 6697, 6665, 10080, 6566, 5061]) {
    try {
      return await AdminServer.listen({ ...options, host: 'localhost', port });
    } catch (error) {
      if (!isTailraceError(error, 'ADDRESS_UNAVAILABLE')) throw error; // taken: the next one
    }
  }
  throw new Error('every port that fetch refuses is taken');
};

describe('a running process', () => {
  it('serves several files with routes and transforms, and is shown, paused and stopped over HTTP', async () => {
    await fillStore('one', 300);
    await fillStore('two', 10);
    const port = await freePort();
    const one = write(
      'one.yaml',
      `name: one
source: { connector: engine, path: ${path('one')} }
routes:
  - { keys: ["k1{rest}"], to: [ones], key: "one-{rest}" }
  - { to: [others] }
sinks:
  - { sink: file, name: ones, path: ones.ndjson }
  - { sink: file, name: others, path: others.ndjson, transforms: [{ filter: { excludeKeys: ["k2*"] } }] }
admin: { listen: "127.0.0.1:${port}" }
`,
    );
    const two = write(
      'two.yaml',
      `name: two\nsource: { connector: engine, path: ${path('two')} }\nsinks: [{ sink: file, path: two.ndjson }]\n`,
    );
    const { child } = start('run', one, two);
    const all = Array.from({ length: 300 }, (_, i) => `k${i}`);
    await waitUntil(
      'everything is delivered',
      () => keysIn('two.ndjson').length === 10 && keysIn('others.ndjson').length > 0,
    );
    const status = async () => await tailrace('status', `127.0.0.1:${port}`, '--json');
    const positions = async (): Promise<number[]> =>
      (
        JSON.parse((await status()).stdout) as {
          pipelines: { sinks: { position: { sequence: number } | null }[] }[];
        }
      ).pipelines.flatMap(({ sinks }) => sinks.map(({ position }) => position?.sequence ?? 0));
    await waitUntil('all positions have moved', async () => (await positions()).join() === '300,300,10');
    expect(keysIn('ones.ndjson')).toEqual(
      all.filter((key) => /^k1./.test(key)).map((key) => `one-${key.slice(2)}`),
    );
    expect(keysIn('others.ndjson')).toEqual(all.filter((key) => !/^k1./.test(key) && !key.startsWith('k2')));
    const shown = await tailrace('status', `http://127.0.0.1:${port}`);
    expect([shown.status, shown.stdout]).toEqual([
      0,
      expect.stringMatching(/one +running +others +running +exactly-once +300/),
    ]);
    expect((await fetch(`http://127.0.0.1:${port}/pipelines/two/pause`, { method: 'POST' })).status).toBe(
      202,
    );
    await waitUntil('it is paused', async () => (await status()).stdout.includes('"paused"'));
    expect((await status()).status).toBe(1);
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect((await tailrace('status', `127.0.0.1:${port}`)).stderr).toContain('no status from');
  });

  it('is shown at a port that browsers must not talk to', async () => {
    await using admin = await listenOnForbiddenPort();
    const shown = await tailrace('status', `localhost:${admin.port}`);
    expect([shown.status, shown.stderr, shown.stdout]).toEqual([0, '', expect.stringContaining('PIPELINE')]);
    expect((await tailrace('status', `${admin.port}`)).stdout).toContain('PIPELINE');
    const other = await tailrace('status', 'http://[');
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('is no address')]);
  });

  it('keeps other pipelines going when one fails, if it is told to', async () => {
    await fillStore('good', 5);
    const good = write(
      'good.yaml',
      `name: good\nsource: { connector: wal, path: ${path('good')}, follow: false }\nsinks: [{ sink: file, path: good.ndjson }]\n`,
    );
    writeFileSync(path('taken.ndjson'), 'not ours\n');
    const bad = write(
      'bad.yaml',
      `name: bad\nsource: { connector: wal, path: ${path('good')} }\nsinks: [{ sink: file, path: taken.ndjson }]\n`,
    );
    const { child, log } = start('run', '--keep-going', bad, good);
    expect(await exitOf(child)).toBe(1);
    expect(keysIn('good.ndjson').length).toBe(5);
    expect(log()).toContain('a pipeline has failed, the others go on pipeline=bad');
    const alone = start('run', bad, good);
    expect(await exitOf(alone.child)).toBe(1);
    expect(alone.log()).toContain('a pipeline has failed, the others are stopped pipeline=bad');
  });

  it('is the only one to run a pipeline whose sink cannot keep others out, and positions can be carried over', async () => {
    await fillStore('owned', 20);
    const file = write(
      'owned.yaml',
      `name: owned\nsource: { connector: wal, path: ${path('owned')} }\nsinks: [{ sink: stdout }]\noffsets: { path: ${path('offsets')} }\n`,
    );
    const { child } = start('run', file);
    const show = async () => (await tailrace('offsets', 'show', '--path', path('offsets'))).stdout;
    await waitUntil('it has stored a position', async () => (await show()).includes(' 20:1:'));
    const second = await tailrace('run', file);
    expect([second.status, second.stderr]).toEqual([
      1,
      expect.stringContaining(`pipeline owned is run by process ${child.pid}`),
    ]);
    const reset = await tailrace('offsets', 'reset', 'owned', '-c', file);
    expect([reset.status, reset.stderr]).toEqual([1, expect.stringContaining('PIPELINE_OWNED')]);
    const exited = exitOf(child);
    child.kill('SIGTERM');
    await exited;
    const exported = write('export.ndjson', (await tailrace('offsets', 'export', '-c', file)).stdout);
    expect((await tailrace('offsets', 'reset', 'owned', '-c', file)).stdout).toMatch(
      /^forgot owned stdout at 20:1:/,
    );
    const set = await tailrace('offsets', 'set', '--from', exported, '-c', file);
    expect(set.stdout).toMatch(/^set owned stdout to 20:1:[0-9a-f]{8} \(was none\)/);
    expect((await tailrace('offsets', 'set', 'owned', 'stdout', '7', '-c', file)).status).toBe(2);
    expect(
      (await tailrace('offsets', 'set', 'owned', 'stdout', '7:1:00ff00ff', '-c', file)).stdout,
    ).toContain('to 7:1:00ff00ff (was 20:1:');
    // The position names another history than the log has.
    expect((await tailrace('run', file)).stderr).toContain('HISTORY_MISMATCH');
  });

  it('says where it found no positions, and takes no export without any for one', async () => {
    const shown = await tailrace('offsets', 'show', '--path', path('nowhere'));
    expect(shown.stdout).toBe(`no positions in ${path('nowhere')}, which is not there\n`);
    const empty = await tailrace(
      'offsets',
      'set',
      '--path',
      path('nowhere'),
      '--from',
      write('empty.ndjson', '\n'),
    );
    expect([empty.status, empty.stderr]).toEqual([2, expect.stringContaining('holds no position')]);
    const other = await tailrace('offsets', 'show', '--store', 'postgres', '--url', 'redis://127.0.0.1:1');
    expect([other.status, other.stderr]).toEqual([
      2,
      expect.stringContaining('Write postgres://… in offsets.url'),
    ]);
  });

  it('tries targets that cannot be reached again, saying why, and fails after the time that it was given', async () => {
    await fillStore('waiting', 3);
    const port = await freePort();
    const file = write(
      'unreachable.yaml',
      `name: unreachable
source: { connector: wal, path: ${path('waiting')} }
retry: { max: 20ms, giveUpAfter: 500ms }
sinks:
  - { sink: kafka, brokers: ["127.0.0.1:${port}"], sasl: { mechanism: plain, username: ada, password: hunter2 } }
  - { sink: redis, url: "redis://:hunter2@127.0.0.1:${port}" }
  - { sink: postgres, url: "postgres://ada:hunter2@127.0.0.1:${port}/app" }
`,
    );
    const run = await tailrace('run', file, '--json', '--log-level', 'debug');
    expect(run.status).toBe(1);
    const lines = run.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { message?: string; sink?: string; reason?: string });
    for (const sink of ['kafka', 'redis', 'postgres']) {
      const of = lines.filter((line) => line.sink === sink);
      const tries = of.filter(({ message }) => message === 'the sink cannot be reached, trying again');
      expect([sink, tries[0]?.reason]).toEqual([sink, expect.stringContaining('ECONNREFUSED')]);
      expect(of).toContainEqual(
        expect.objectContaining({
          message: 'a sink has failed',
          code: 'SINK_UNREACHABLE',
          remedy: expect.stringMatching(/^Check /),
        }),
      );
    }
    const told = lines.at(-1)?.message;
    for (const sink of ['kafka', 'redis', 'postgres']) expect(told).toContain(`sink ${sink}`);
    expect(run.stderr).toContain('SINK_UNREACHABLE');
    expect(run.stdout + run.stderr).not.toContain('hunter2');
  });
});
