import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminServer, PipelineMetrics } from '../../src/admin/index.js';
import { Engine } from '../../src/engine/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { StateFile } from '../../src/migration/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { freePort, throwAwayDirectory } from '../services/index.js';
import { HttpReceiver } from '../support/http-receiver.js';
import { pluginContext } from '../support/plugin-context.js';
import { program, runTailrace as tailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

let directory: ReturnType<typeof throwAwayDirectory>;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = throwAwayDirectory('operate');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exited;
  }
  directory.remove();
});

const path = (name: string): string => join(directory.path, name);
const write = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};
const start = (...parameters: string[]): { child: ChildProcess; log: () => string } => {
  const child = spawn(process.execPath, [program, ...parameters], {
    cwd: directory.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stdout.resume();
  children.push(child);
  return { child, log: () => log };
};
/** When all that it said is there, too. */
const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('close', (code) => resolve(code)));

/** A store with `count` strings `k0`, `k1` … */
const fillStore = async (name: string, count: number): Promise<void> => {
  await using engine = await Engine.open(path(name));
  for (let i = 0; i < count; i++)
    engine.commit(
      new WriteBatchBuilder()
        .put(1, Buffer.from(`\x0b__namespacek${i}`), Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1'))
        .finish(),
    );
  await engine.whenDurable(engine.sequence);
};

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

const keysIn = (file: string): string[] =>
  existsSync(path(file))
    ? readFileSync(path(file), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { key: string }).key)
    : [];

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

  it('ends within the time for draining at SIGTERM although a target does not answer, and says so', async () => {
    await fillStore('stuck', 3);
    await using receiver = await HttpReceiver.open();
    receiver.answer = () => undefined;
    const file = write(
      'stuck.yaml',
      `name: stuck\nsource: { connector: wal, path: ${path('stuck')} }\ndrainTimeout: 1500ms
sinks: [{ sink: webhook, url: "${receiver.url}", timeout: 10m }]\noffsets: { path: ${path('offsets')} }\n`,
    );
    const { child, log } = start('run', file);
    await waitUntil('it waits for an answer', () => receiver.requests.length > 0);
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(log()).toMatch(/stopping: what is in flight is delivered first.* atMostMs=1500/);
    expect(log()).toContain('could not deliver what was in flight within 1500 ms');
  });

  it('ends within that time although a source neither answers nor listens, and holds on to what it has', async () => {
    write(
      'deaf.mjs',
      `const open = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));
const create = () => ({ open, [Symbol.asyncDispose]: open });
export const source = { name: 'deaf', summary: 'deaf', schema: {}, create };\n`,
    );
    const file = write(
      'deaf.yaml',
      `name: deaf\nsource: { connector: ./deaf.mjs }\ndrainTimeout: 100ms\nsinks: [{ sink: file, path: ${path('deaf.ndjson')} }]\n`,
    );
    const { child, log } = start('run', file);
    await waitUntil('the sink is claimed', () => existsSync(path('deaf.ndjson')));
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(log()).toContain(
      'the source of pipeline deaf has not answered within 100 ms of being told to end',
    );
  });

  it('ends within that time although a sink does not close, and names it', async () => {
    write(
      'open.mjs',
      `const forever = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));
const create = () => ({
  guarantee: 'at-least-once', holdsPosition: true, [Symbol.asyncDispose]: forever,
  claim: async () => ({ epoch: 1, position: null }), write: async () => ({ kind: 'durable' }),
});
export const sink = { name: 'open', summary: 'open', schema: {}, create };\n`,
    );
    await fillStore('closed', 3);
    const file = write(
      'open.yaml',
      `name: ajar\nsource: { connector: wal, path: ${path('closed')} }\ndrainTimeout: 300ms\nsinks: [{ sink: ./open.mjs, name: door }]\n`,
    );
    const { child, log } = start('run', file);
    await waitUntil('it runs', () => log().includes('pipeline started'));
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(log()).toContain('sink door of pipeline ajar does not close within 300 ms');
  });

  it('is told by doctor what would keep it from running, without anything being claimed', async () => {
    await fillStore('looked', 3);
    const port = await freePort();
    const good = write(
      'good-doctor.yaml',
      `name: looked\nsource: { connector: engine, path: ${path('looked')} }\nsinks: [{ sink: file, path: ${path('looked.ndjson')} }]\n`,
    );
    const fine = await tailrace('doctor', good);
    expect([fine.status, fine.stdout]).toEqual([
      0,
      expect.stringMatching(/ok +looked +file +guarantee +file: exactly-once\n/),
    ]);
    expect(fine.stdout).toContain('is at sequence number 3');
    expect(existsSync(path('looked.ndjson'))).toBe(false);
    const show = async () => (await tailrace('offsets', 'show', '-c', good)).stdout;
    expect(await show()).toMatch(/looked +file +none +in the sink/);
    const ended = path('ended.yaml');
    writeFileSync(
      ended,
      readFileSync(good, 'utf8').replace('engine', 'wal').replace(' }', ', follow: false }'),
    );
    expect((await tailrace('run', ended)).status).toBe(0);
    expect(await show()).toMatch(/looked +file +3:1:[0-9a-f]{8} +in the sink/);
    const exported = write('held.ndjson', (await tailrace('offsets', 'export', '-c', good)).stdout);
    expect((await tailrace('offsets', 'reset', 'looked', '-c', good)).stdout).toMatch(
      /^forgot looked file at 3:1:/,
    );
    expect(await show()).toMatch(/looked +file +none +in the sink/);
    expect((await tailrace('offsets', 'set', '--from', exported, '-c', good)).stdout).toMatch(
      /^set looked file to 3:1:[0-9a-f]{8} \(was none\)/,
    );
    expect((await tailrace('run', ended)).status).toBe(0);
    expect(keysIn('looked.ndjson')).toHaveLength(3);
    const bad = write(
      'bad-doctor.yaml',
      `name: sick
source: { connector: kvrocks, url: "redis://:hunter2@127.0.0.1:${port}" }
sinks: [{ sink: redis, url: "redis://:hunter2@127.0.0.1:${port}" }]
errors: { poison: dead-letter }
offsets: { store: redis, url: "redis://:hunter2@127.0.0.1:${port}" }
`,
    );
    const sick = await tailrace('doctor', bad, '--json');
    expect(sick.status).toBe(1);
    const findings = JSON.parse(sick.stdout) as { part: string; status: string }[];
    const failing = new Set(findings.filter(({ status }) => status === 'fail').map(({ part }) => part));
    expect([...failing].sort()).toEqual(['offsets', 'redis', 'source']);
    expect(sick.stdout + sick.stderr).not.toContain('hunter2');
    writeFileSync(path('looked/SEQUENCE-TIMES'), 'no times of anything at all');
    expect((await tailrace('doctor', good)).stdout).toMatch(
      /warn +looked +source +times +.*SEQUENCE-TIMES: entries were damaged and are dropped: 1.*\n(.*\n)*source: .*begun anew/,
    );
    const blocked = write(
      'blocked-doctor.yaml',
      `name: blocked\nsource: { connector: wal, path: ${path('looked')} }\nsinks: [{ sink: stdout }]\noffsets: { path: ${good}/offsets }\n`,
    );
    expect((await tailrace('doctor', blocked)).stdout).toMatch(
      /fail +blocked +offsets +check +.*good-doctor.yaml.*it is no directory/,
    );
  });

  it('is told by doctor where a sink stands, and that a source put back from an older copy does not go on there', async () => {
    await fillStore('restored', 3);
    const source = `source: { connector: engine, path: ${path('restored')} }`;
    const sink = `sinks: [{ sink: file, path: ${path('restored.ndjson')} }, { sink: stdout }]`;
    const file = write(
      'restored.yaml',
      `name: restored\n${source}\n${sink}\noffsets: { path: ${path('at')} }\n`,
    );
    const toldOf = async (): Promise<[number | null, string[]]> => {
      const { status, stdout } = await tailrace('doctor', '--json', file);
      const findings = JSON.parse(stdout) as { name: string; part: string; status: string; detail: string }[];
      const positions = findings.filter(({ name }) => name === 'history');
      return [status, positions.map((found) => `${found.status} ${found.part}: ${found.detail}`)];
    };
    expect(await toldOf()).toEqual([
      0,
      ['file', 'stdout'].map((sink) => `ok ${sink}: the source goes on at the beginning of the log`),
    ]);
    const ended = write(
      'restored-wal.yaml',
      readFileSync(file, 'utf8').replace('engine', 'wal').replace(' }', ', follow: false }'),
    );
    expect((await tailrace('run', ended)).status).toBe(0);
    const goesOn = 'the source goes on behind sequence number 3';
    expect(await toldOf()).toEqual([0, [`ok file: ${goesOn}`, `ok stdout: ${goesOn}`]]);

    rmSync(path('restored'), { recursive: true });
    await fillStore('restored', 2);
    const [status, positions] = await toldOf();
    expect(status).toBe(1);
    expect(positions).toEqual([
      expect.stringMatching(/^fail file: .* 3\b/),
      expect.stringMatching(/^fail stdout: .* 3\b/),
    ]);
    await using engine = await Engine.open(path('restored')); // and then written to in another way
    engine.commit(new WriteBatchBuilder().put(1, Buffer.from('a'), Buffer.from('b')).finish());
    await engine.whenDurable(3);
    const another = /has another batch at sequence number 3 than the one this pipeline handled$/;
    expect((await toldOf())[1]).toEqual([expect.stringMatching(another), expect.stringMatching(another)]);
  });

  it('refuses a named pipe where it needs a file, for which it would wait until somebody writes to it', async () => {
    await fillStore('beside', 1);
    execFileSync('mkfifo', [path('pipe')]);
    const sink = `{ sink: file, path: ${path('of-pipe.ndjson')} }`;
    const file = write(
      'pipe.yaml',
      `name: pipe\nsource: { connector: file, path: ${path('pipe')} }\nsinks: [${sink}]\n`,
    );
    const letters = write(
      'letters.yaml',
      `name: letters\nsource: { connector: wal, path: ${path('beside')} }\nsinks: [${sink}]\nerrors: { poison: dead-letter }\ndeadLetters: { path: ${path('pipe')} }\n`,
    );
    for (const args of [
      ['run', file],
      ['doctor', file],
      ['dead-letters', 'list', letters],
    ]) {
      const { status, stdout, stderr } = await tailrace(...args);
      expect([status, stdout + stderr]).toEqual([1, expect.stringContaining('pipe: it is a named pipe')]);
    }
    expect(() => new StateFile(path('pipe')).load()).toThrow('pipe: it is a named pipe');
  });

  it('says of a module that waits for what cannot come that it never ends, instead of ending without a word', async () => {
    write('waits.mjs', 'await new Promise(() => undefined);');
    for (const [named, place] of [
      ['sinks: [{ sink: ./waits.mjs }]', '3:17 sinks[0].sink: cannot be used'],
      [
        'sinks: [{ sink: stdout }]\ntransforms: [{ use: { module: ./waits.mjs } }]',
        '4:14 transforms[0].use: cannot use the transform ./waits.mjs',
      ],
    ]) {
      const file = write('waits.yaml', `name: p\nsource: { connector: wal, path: x }\n${named}\n`);
      const { status, stderr } = await tailrace('validate', file);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(`${file}:${place}: a top-level await in it never ends`),
      ]);
    }
  });

  it('names the place of a pattern that cannot be used', async () => {
    const file = write(
      'p.yaml',
      `name: p\nsource: { connector: wal, path: x }\ntransforms:\n  - rename: { keys: "a:{id}", to: "{nr}" }\nsinks: [{ sink: stdout }]\n`,
    );
    const result = await tailrace('validate', file);
    expect([result.status, result.stderr]).toEqual([
      2,
      expect.stringContaining(`${file}:4:5 transforms[0].rename: {nr} is not known`),
    ]);
    const routed = write(
      'routed.yaml',
      `name: p\nsource: { connector: wal, path: x }\nsinks: [{ sink: stdout, transforms: [{ use: { module: ./none.js } }] }]\nroutes:\n  - to: [stdout]\n  - { to: [stdout], keys: ["b:[0-9"] }\n`,
    );
    const unclosed = await tailrace('validate', routed);
    expect(unclosed.stderr).toContain(
      `${routed}:6:5 routes[1]: "b:[0-9" has an opening [ that is not closed`,
    );
    const loads = write('loads.yaml', readFileSync(routed, 'utf8').replace('[0-9', ''));
    const missing = await tailrace('validate', loads);
    expect(missing.stderr).toContain(
      `${loads}:3:38 sinks[0].transforms[0].use: cannot use the transform ./none.js: there is no file`,
    );
  });
});
