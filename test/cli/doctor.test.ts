import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { StateFile } from '../../src/migration/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { freePort } from '../services/index.js';
import { runTailrace as tailrace } from '../support/tailrace-program.js';
import { ProgramFolder } from './program-folder.js';

const { path, write, fillStore, keysIn } = new ProgramFolder('doctor');

describe('doctor', () => {
  it('tells what would keep a pipeline from running, without anything being claimed', async () => {
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

  it('tells where a sink stands, and that a source put back from an older copy does not go on there', async () => {
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
});

describe('a pipeline that cannot run', () => {
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
