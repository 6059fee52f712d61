import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/data-model/commands/index.js';
import { Engine } from '../../src/engine/index.js';
import { encodeCommand } from '../../src/resp/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { freePort, throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { runProgram } from '../support/run-program.js';
import { program, runTailrace as tailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

const golden = fileURLToPath(new URL('../fixtures/kvrocks/wal/kvrocks-000010.log', import.meta.url));
const directory = throwAwayDirectory('cli');
afterAll(() => directory.remove());

const path = (name: string): string => join(directory.path, name);
const write = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};

/** A directory with a whole log: the captured one without its last record, which is no batch. */
const logDirectory = (): string => {
  const folder = path('log');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '000010.log'), readFileSync(golden).subarray(0, 1_095_768));
  return folder;
};

describe('command line', () => {
  it('tells its version and what it can do, for each command', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await tailrace('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
    const help = await tailrace('--help');
    expect(help).toMatchObject({ status: 0, stderr: '' });
    for (const command of ['run', 'validate', 'tail', 'serve', 'wal', 'offsets', 'demo']) {
      expect(help.stdout).toContain(`  ${command} `);
      expect(await tailrace(command, '--help')).toMatchObject({ status: 0, stderr: '' });
    }
  });

  it('ends with 2 for wrong usage and wrong configuration, naming every place', async () => {
    const bad = write(
      'bad.yaml',
      'name: x\nsource: { connector: nowhere }\nsinks: [{ sink: file, pth: y }]\n',
    );
    for (const parameters of [
      ['nosuch'],
      ['run'],
      ['run', '--nosuch'],
      ['run', path('missing.yaml')],
      ['run', bad],
      ['validate', bad],
      ['tail', path('missing')],
      ['tail', directory.path, '--from', 'soon'],
      ['serve', '--dir', path('s'), '--listen', 'x:y'],
      ['serve', '--dir', path('s'), '--sync', 'maybe'],
      ['serve', '--dir', path('s'), '--memtable', '0'],
      ['serve', '--dir', path('s'), '--timeout', ''],
    ])
      expect([parameters, (await tailrace(...parameters)).status]).toEqual([parameters, 2]);
    const { stderr } = await tailrace('validate', bad);
    expect(stderr).toContain('bad.yaml:2:22 source.connector: there is no connector "nowhere"');
    expect(stderr).toContain('bad.yaml:3:23 sinks[0].pth: unknown key (did you mean "path"?)');
    const asJson = JSON.parse((await tailrace('validate', bad, '--json')).stderr) as { code: string };
    expect(asJson.code).toBe('CONFIG_INVALID');
  });

  it('reads a pipeline file from a pipe', async () => {
    const file = write(
      'piped.yaml',
      'name: piped\nsource: { connector: wal, path: . }\nsinks: [{ sink: stdout }]\n',
    );
    const command = `cat "${file}" | "${process.execPath}" "${program}" validate /dev/stdin`;
    expect(await runProgram('/bin/sh', ['-c', command])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('piped'),
    });
  });

  it('tells a target that is none, or that cannot be compared, before it talks to the source', async () => {
    const ends = (to: string): string[] => ['--from', 'redis://127.0.0.1:1', '--to', to];
    for (const [parameters, said] of [
      [['migrate', ...ends('keys.txt')], 'keys.txt is no target that is known'],
      [['cutover', ...ends('kafka://nobody')], 'kafka://nobody is no target that is known'],
      [['migrate', ...ends('keys.resp'), '--verify'], 'keys.resp cannot be compared with'],
      [['migrate', ...ends('redis://h'), '--to-option', 'a=b'], '--to-option a=b has no use: redis://h'],
      [['verify', ...ends('redis://h'), '--to-option', 'a=b'], '--to-option a=b has no use: redis://h'],
      [['migrate', ...ends('redis://h'), '--once', '--follow'], "option '--once' cannot be used with"],
      [['cutover', ...ends('keys.resp')], 'keys.resp cannot be compared with'],
      [
        ['verify', ...ends('kafka://host:9092/topic')],
        'kafka://host:9092/topic cannot be compared with: it is a Kafka topic\n       Keys are compared with those of a redis://host:port, of a node of a cluster, too, and of the mirror in a postgres://host/database.\n',
      ],
    ] as const)
      expect([parameters, await tailrace(...parameters)]).toEqual([
        parameters,
        expect.objectContaining({ status: 2, stderr: expect.stringContaining(`error: ${said}`) }),
      ]);
  });

  it('tells a misspelt option rather than that the right one is missing, an empty one, and both as JSON', async () => {
    expect((await tailrace('serve', '--dri', 'x')).stderr).toMatch(
      /unknown option '--dri'\n\(Did you mean --dir/,
    );
    const missing = "required option '-d, --dir <directory>' not specified";
    expect(await tailrace('serve')).toMatchObject({ status: 2, stderr: expect.stringContaining(missing) });
    const empty = await tailrace('serve', '--dir', '', '--json');
    expect([empty.status, JSON.parse(empty.stderr)]).toEqual([
      2,
      { code: 'USAGE', message: "required option '-d, --dir <directory>' is empty" },
    ]);
  });

  it('names the place of a sink that cannot take what the pipeline gives it', async () => {
    const kvrocks = 'sinks: [{ sink: stdout }, { sink: kvrocks, url: "redis://h" }]';
    for (const [rest, message] of [
      [`source: { connector: file, path: a }\n${kvrocks}`, 'writes the batches of a log'],
      [
        `source: { connector: wal, path: a }\n${kvrocks}\ntransforms: [{ filter: { keys: [a] } }]`,
        'forwards batches',
      ],
    ]) {
      const file = write('whole.yaml', `name: x\n${rest}\n`);
      const { status, stderr } = await tailrace('validate', file);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(`error: ${file}:3:27 sinks[1]: kvrocks ${message}`),
      ]);
    }
  });

  it('validates, runs a pipeline to its end, and goes on where it stood', async () => {
    const file = write(
      'wal.yaml',
      `name: w\nsource: { connector: wal, path: ${logDirectory()}, follow: false }\nerrors: { undecodable: skip }\nsinks:\n  - { sink: file, path: ${path('out.ndjson')} }\n  - { sink: stdout }\noffsets: { path: ${path('offsets')} }\n`,
    );
    const valid = await tailrace('validate', file, '--json', '-c', file);
    expect(JSON.parse(valid.stdout)).toEqual([
      { pipeline: 'w', source: 'wal', sink: 'file', guarantee: 'exactly-once' },
      { pipeline: 'w', source: 'wal', sink: 'stdout', guarantee: 'at-least-once' },
    ]);
    const first = await tailrace('run', file);
    const content = readFileSync(path('out.ndjson'), 'utf8');
    const delivered = content.trim().split('\n').length;
    expect([first.status, first.stderr.match(/pipeline stopped .*/g)]).toEqual([
      0,
      ['file', 'stdout'].map((sink) =>
        expect.stringContaining(`pipeline=w sink=${sink} delivered=${delivered} filtered=0`),
      ),
    ]);
    expect(content.split('\n').length).toBeGreaterThan(300);
    expect(first.stdout.split('\n').length).toBe(content.split('\n').length);
    const again = await tailrace('run', file);
    expect([again.status, again.stdout]).toEqual([0, '']);
    expect(readFileSync(path('out.ndjson'), 'utf8')).toBe(content);

    expect((await tailrace('offsets', 'show', '--path', path('offsets'))).stdout).toMatch(/w +stdout +495/);
    expect((await tailrace('offsets', 'reset', 'w', '--path', path('offsets'))).stdout).toContain(
      'forgot w stdout at 495',
    );
    expect((await tailrace('offsets', 'reset', 'w', '--path', path('offsets'))).status).toBe(2);
    writeFileSync(path('offsets/w.json'), '{}');
    expect((await tailrace('offsets', 'show', '--path', path('offsets'))).stderr).toContain(
      'OFFSETS_CORRUPT',
    );
  });

  it('looks into log files: ls, dump, verify', async () => {
    const folder = logDirectory();
    const [listed] = JSON.parse((await tailrace('wal', 'ls', folder, '--json')).stdout) as [
      { batches: number; lastSequence: number },
    ];
    expect(listed).toMatchObject({ batches: 231, firstSequence: 1, lastSequence: 495 });
    const dumped = await tailrace('wal', 'dump', folder, '--limit', '2');
    expect(dumped.stdout).toContain('1 count 1');
    expect(dumped.stdout).toContain(
      'Put  metadata  "\\x0b__namespaces1"  "\\x81\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00v1"',
    );
    const [first] = (await tailrace('wal', 'dump', folder, '--json')).stdout.split('\n', 1);
    expect(JSON.parse(first)).toMatchObject({
      sequence: 1,
      records: expect.arrayContaining([
        {
          kind: 'Put',
          columnFamily: 'metadata',
          key: '\x0b__namespaces1',
          value: { base64: Buffer.from('\x81\0\0\0\0\0\0\0\0v1', 'latin1').toString('base64') },
        },
      ]),
    });
    expect((await tailrace('wal', 'verify', folder)).stdout).toContain('231 batches, every checksum is good');
    const damaged = path('damaged');
    mkdirSync(damaged);
    copyFileSync(golden, join(damaged, '000010.log'));
    expect(await tailrace('wal', 'verify', damaged)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('000010.log at offset 1095768'),
    });
    expect((await tailrace('wal', 'verify', path('nowhere'))).status).toBe(1);
    mkdirSync(path('empty'));
    for (const parameters of [
      ['wal', 'ls'],
      ['wal', 'dump'],
      ['wal', 'verify'],
      ['tail', '--once'],
    ])
      expect(await tailrace(...parameters, path('empty'))).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('has no log files'),
      });
    mkdirSync(path('kvrocks/db'), { recursive: true });
    writeFileSync(path('kvrocks/db/CURRENT'), '');
    copyFileSync(join(folder, '000010.log'), path('kvrocks/db/000010.log'));
    expect((await tailrace('wal', 'verify', path('kvrocks'))).stdout).toContain('231 batches');
  });

  it('tails a directory without any configuration, filtered', async () => {
    const folder = logDirectory();
    const text = await tailrace('tail', folder, '--once', '--keys', 's1,h*', '--types', 'string,hash');
    expect(text.status).toBe(0);
    expect(text.stdout.split('\n')[0]).toBe('1  put string  "s1"  value="v1"');
    const events = (await tailrace('tail', folder, '--once', '--json', '--from', '490')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number });
    expect(events.length).toBeGreaterThan(1);
    expect(events.every((event) => event.seq > 490)).toBe(true);
  });

  it('says once where the log ends when it is told to start behind that, and waits', async () => {
    const folder = logDirectory();
    const once = await tailrace('tail', folder, '--once', '--from', '900', '--json');
    expect([once.status, once.stdout]).toEqual([0, '']);
    expect(JSON.parse(once.stderr)).toMatchObject({
      level: 'warn',
      message: 'the log ends before that',
      from: 900,
      newest: 495,
    });
    expect((await tailrace('tail', folder, '--once', '--from', '495')).stderr).toBe('');

    const child = spawn(process.execPath, [program, 'tail', folder, '--from', '496']);
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await waitUntil('it has told', () => told.includes('waiting for it from=496 newest=495'));
    child.kill('SIGINT');
    await ended;
    expect(told.match(/ends before/g)).toHaveLength(1);
  });

  it('serves a store, tails it over the wire, and stops cleanly at SIGTERM', async () => {
    const port = await freePort();
    const serve = spawn(
      process.execPath,
      [program, 'serve', '--dir', path('store'), '--listen', `127.0.0.1:${port}`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    serve.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await waitUntil('it serves', () => log.includes('serving'));
    const client = await RawClient.open(port);
    client.write(encodeCommand('SET', 'a', '1'));
    await client.read(5);
    const second = await tailrace('serve', '--dir', path('store'), '--listen', '127.0.0.1:0');
    expect([
      second.status,
      second.stderr.includes('STORE_LOCKED') && second.stderr.includes(`process ${serve.pid}`),
    ]).toEqual([1, true]);
    const third = await tailrace('serve', '--dir', path('other'), '--listen', `127.0.0.1:${port}`);
    expect([third.status, third.stderr.includes('ADDRESS_UNAVAILABLE')]).toEqual([1, true]);
    const open = await tailrace('serve', '--dir', path('open'), '--listen', '0.0.0.0:0');
    expect([open.status, open.stderr.includes('without a password'), existsSync(path('open'))]).toEqual([
      2,
      true,
      false,
    ]);
    const tailed = await tailrace('tail', `redis://127.0.0.1:${port}`, '--once');
    expect([tailed.status, tailed.stdout]).toEqual([0, '1  put string  "a"  value="1"\n']);
    const exited = new Promise((resolve) => serve.once('exit', resolve));
    serve.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(existsSync(path('store/LOCK'))).toBe(false);
    const unreachable = await tailrace('tail', `redis://127.0.0.1:${port}`, '--once');
    expect([unreachable.status, unreachable.stderr.includes('SOURCE_UNREACHABLE')]).toEqual([1, true]);
  });

  it('ends without a trace of its code when it is interrupted before it has reached the source', async () => {
    const child = spawn(process.execPath, [program, 'tail', 'redis://127.0.0.1:1']);
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk;
      if (told.includes('trying again')) child.kill('SIGINT');
    });
    const status = await new Promise((resolve) => child.once('close', resolve));
    expect([status, told.match(/^ +at /m)]).toEqual([130, null]);
  });

  it('says that the disk is full on which its output lands', async () => {
    for (const command of ['schema', `tail ${logDirectory()} --once`])
      expect(
        await runProgram('/bin/sh', ['-c', `"${process.execPath}" "${program}" ${command} > /dev/full`]),
      ).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/^error: cannot access standard output: ENOSPC.*\n +Make room/),
      });
  });

  it('goes on when whoever read its log is gone', async () => {
    const file = write(
      'unheard.yaml',
      `name: unheard\nsource: { connector: wal, path: ${logDirectory()}, follow: false }\nerrors: { undecodable: skip }\nsinks: [{ sink: file, path: ${path('unheard.ndjson')} }]\n`,
    );
    const run = `"${process.execPath}" "${program}" run "${file}" 2>&1 >/dev/null; echo $? > "${path('status')}"`;
    await runProgram('/bin/sh', ['-c', `(${run}) | true`]);
    await waitUntil(
      'the end of the run',
      () => existsSync(path('status')) && readFileSync(path('status'), 'utf8') !== '',
    );
    expect(readFileSync(path('status'), 'utf8')).toBe('0\n');
    expect(readFileSync(path('unheard.ndjson'), 'utf8').split('\n').length).toBeGreaterThan(100);
  });

  it('drains a running pipeline at SIGINT and exits 0', async () => {
    {
      await using engine = await Engine.open(path('drained'));
      for (let i = 0; i < 5_000; i++)
        engine.commit(
          new WriteBatchBuilder()
            .put(1, Buffer.from(`\x0b__namespacek${i}`), Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1'))
            .finish(),
        );
    }
    const file = write(
      'drain.yaml',
      `name: d\nsource: { connector: engine, path: ${path('drained')} }\nsinks: [{ sink: file, path: ${path('drained.ndjson')} }]\n`,
    );
    const run = spawn(process.execPath, [program, 'run', file], { stdio: 'ignore' });
    await waitUntil(
      'it delivers',
      () => existsSync(path('drained.ndjson')) && readFileSync(path('drained.ndjson')).length > 0,
    );
    const exited = new Promise((resolve) => run.once('exit', resolve));
    run.kill('SIGINT');
    expect(await exited).toBe(0);
    const lines = readFileSync(path('drained.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, i) => i + 1));
  });

  it('ends quietly when the reader of its output goes away, also while there is nothing to write', async () => {
    const log = logDirectory();
    for (const parameters of [`wal dump '${log}'`, `tail '${log}'`]) {
      const { stdout, stderr } = await runProgram('bash', [
        '-c',
        `'${process.execPath}' '${program}' ${parameters} | head -1; echo "\${PIPESTATUS[0]}"`,
      ]);
      expect([parameters, stdout.trim().split('\n').at(-1)]).toEqual([parameters, '0']);
      expect(stderr.split('\n').filter((line) => !line.includes('cannot be decoded'))).toEqual(['']);
    }
  });

  it('does not pass for done when the reader goes away before the outcome', async () => {
    const file = path('to-head.yaml');
    const source = `{ connector: wal, path: ${JSON.stringify(logDirectory())}, follow: false }`;
    const offsets = JSON.stringify(path('to-head'));
    writeFileSync(
      file,
      `name: p\nsource: ${source}\nerrors: { undecodable: skip }\noffsets: { path: ${offsets} }\nsinks: [{ sink: stdout }]\n`,
    );
    const run = `'${process.execPath}' '${program}' run --quiet '${file}'`;
    const { stdout, stderr } = await runProgram('bash', ['-c', `${run} | head -1; echo "\${PIPESTATUS[0]}"`]);
    expect(stdout.trim().split('\n').at(-1)).toBe('1');
    expect(stderr).toMatch(/^error: run was not done when the reader of its output went away\n/);
  });

  it('ends when the reader of its output goes away long after the last change', async () => {
    const folder = path('few');
    await using engine = await Engine.open(folder);
    await new Database(engine).call('SET', 'k', 'v');
    const tail = `'${process.execPath}' '${program}' tail '${folder}'`;
    // The reader goes when it has the line, and everything that was written with it.
    const { stdout } = await runProgram('bash', ['-c', `${tail} | head -1; echo "\${PIPESTATUS[0]}"`]);
    expect(stdout).toMatch(/^1 .*\n0\n$/);
  });

  it('shows the whole line at work in the demo', async () => {
    const demo = await tailrace('demo', '--changes', '3000', '--dir', path('demo'), '--json');
    expect(demo.status).toBe(0);
    const facts = JSON.parse(demo.stdout) as { events: number; sequence: number };
    expect(facts.events).toBeGreaterThan(20_000);
    expect(readFileSync(path('demo/changes.ndjson'), 'utf8').trim().split('\n').length).toBe(facts.events);
    expect((await tailrace('demo', '--dir', path('demo'))).status).toBe(2);
  });
});
