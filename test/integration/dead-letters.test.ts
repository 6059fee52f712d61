import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import type { Claim } from '../../src/kit/index.js';
import {
  changeOf,
  type DeadLetter,
  type DeadLetterTarget,
  FileDeadLetters,
  RedisDeadLetters,
  SinkDeadLetters,
} from '../../src/pipeline/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { runTailrace } from '../support/tailrace-program.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const { log: silentLog } = pluginContext('p');
const directory = throwAwayDirectory('dead-letters');
const path = (name: string): string => join(directory.path, name);
let redis: RedisService;
beforeAll(async () => {
  redis = await startRedis();
  symlinkSync(join(repository, 'node_modules'), path('node_modules'));
});
afterAll(async () => {
  await redis.stop();
  directory.remove();
});

const sample = new SampleHistory();
sample.appendMany(300);
const letter = (at: number): DeadLetter => {
  const [transaction] = sample.sinkBatch(at, at + 1).transactions;
  if (transaction === undefined) throw new Error('the history is shorter');
  return {
    pipeline: 'p',
    sink: 's',
    sequence: transaction.first,
    code: 'SINK_POISON',
    reason: `reason ${at}`,
    transaction,
    ...(at % 2 === 0 ? { change: transaction.changes[0] } : {}),
  };
};

const targets: readonly (readonly [string, () => DeadLetterTarget])[] = [
  ['file', () => new FileDeadLetters(path('letters.ndjson'), silentLog)],
  ['redis', () => new RedisDeadLetters(redis.url, 'letters')],
];

describe.each(targets)('dead letters in a target: %s', (_, open) => {
  it('are kept with the batch and the change, listed in order, and settled', async () => {
    await using target = open();
    expect(await target.list()).toEqual([]);
    const letters = Array.from({ length: 250 }, (_, at) => letter(at));
    await target.add(letters.slice(0, 100));
    await target.add(letters.slice(100));
    await using other = open();
    const listed = await other.list();
    expect(listed.map(({ reason }) => reason)).toEqual(letters.map(({ reason }) => reason));
    expect(Buffer.from(listed[7]?.batch ?? '', 'base64')).toEqual(sample.batches[7]?.bytes);
    for (const [at, { transaction, change }] of letters.entries()) {
      const found = changeOf(listed[at]);
      expect(found === undefined).toBe(change === undefined);
      if (found !== undefined && 'key' in found)
        expect(Buffer.from(found.key)).toEqual(
          Buffer.from((transaction.changes[0] as { key: Uint8Array }).key),
        );
    }
    await other.settle([]);
    await other.settle(listed.slice(0, 249).map(({ id }) => id));
    expect((await target.list()).map(({ reason }) => reason)).toEqual(['reason 249']);
    await target.add([letter(3)]);
    expect((await other.list()).map(({ reason }) => reason)).toEqual(['reason 249', 'reason 3']);
  });
});

describe('a file of dead letters', () => {
  it('keeps letters whole that several sinks have at once, however large they are', async () => {
    const large = (at: number): DeadLetter => ({ ...letter(at), reason: String(at).repeat(3_000_000) });
    const file = path('at-once.ndjson');
    await using target = new FileDeadLetters(file, silentLog);
    await Promise.all([0, 1, 2, 3].map((at) => target.add([large(at)])));
    const reasons = (await target.list()).map(({ reason }) => reason[0]);
    expect(reasons.sort()).toEqual(['0', '1', '2', '3']);
  });

  it('loses only the lines that a crash has torn, tells them, and says where something else stands', async () => {
    const file = path('torn.ndjson');
    const torn = `{"id":"half${'x'.repeat(200_000)}`;
    const warnings: unknown[] = [];
    const log = { ...silentLog, warn: (_: string, facts: unknown) => warnings.push(facts) };
    await using running = new FileDeadLetters(file, log);
    await running.add([letter(1)]);
    appendFileSync(file, torn);
    expect((await running.list()).length).toBe(1);
    const before = readFileSync(file);
    await using beside = new FileDeadLetters(file, log);
    await beside.add([letter(2)]);
    // It may be what another process is writing.
    expect(readFileSync(file).subarray(0, before.length).equals(before)).toBe(true);
    appendFileSync(file, torn);
    await running.add([letter(3)]);
    expect(warnings).toEqual([]);
    expect((await running.list()).map(({ reason }) => reason)).toEqual(['reason 1', 'reason 2', 'reason 3']);
    expect(warnings).toEqual([2, 4].map((line) => ({ place: `${file}:${line}`, bytes: torn.length })));
    appendFileSync(file, '{"not":"a letter"}\n');
    const error = { code: 'DEAD_LETTERS_FAILED', message: expect.stringContaining(`${file}:6`) };
    await expect(running.list()).rejects.toMatchObject(error);
  });

  it('keeps what several write to it that open it meanwhile', async () => {
    const file = path('opened-meanwhile.ndjson');
    const writers = [0, 1, 2, 3];
    const sequences = Array.from({ length: 20 }, (_, at) => letter(at).sequence);
    await Promise.all(
      writers.map(async (writer) => {
        for (const sequence of sequences) {
          await using target = new FileDeadLetters(file, silentLog);
          const reason = 'large'.repeat(50_000);
          await target.add([{ ...letter(0), sink: `sink ${writer}`, sequence, reason }]);
        }
      }),
    );
    await using target = new FileDeadLetters(file, silentLog);
    const listed = await target.list();
    for (const writer of writers) {
      const found = listed.filter(({ sink }) => sink === `sink ${writer}`);
      expect(found.map(({ sequence }) => sequence)).toEqual(sequences);
    }
  });
});

describe('dead letters written by a sink', () => {
  it('arrive once each, also when the outcome of a write is unknown, from several sinks at once', async () => {
    const sink = new ScriptedSink();
    sink.failClaims = 1;
    sink.script = [
      () => ({ kind: 'retryable', error: new Error('busy') }),
      () => ({ kind: 'unknown', error: new Error('cut before') }),
      (_, apply) => {
        apply();
        return { kind: 'unknown', error: new Error('cut after') };
      },
    ];
    const timing = { now: () => 0, random: () => 0, sleep: async () => undefined };
    await using target = new SinkDeadLetters(sink, 'kafka', timing);
    await Promise.all([target.add([letter(0), letter(1)]), target.add([letter(2)])]);
    expect(sink.keys).toEqual([0, 1, 2].map((at) => `s/${letter(at).sequence}`));
    expect(sink.position?.sequence).toBe(3);
    await expect(target.list()).rejects.toMatchObject({ code: 'USAGE' });
    sink.script = [() => ({ kind: 'fatal', error: new Error('gone') })];
    await expect(target.add([letter(3)])).rejects.toMatchObject({ code: 'DEAD_LETTERS_FAILED' });
    await target.add([letter(4)]);
    expect(sink.keys.length).toBe(4);
  });

  it('wait for a sink that cannot be reached, also one of a plugin with a copy of this package of its own', async () => {
    class PluginSink extends ScriptedSink {
      override async claim(): Promise<Claim> {
        if (this.claims++ > 0) return { epoch: this.claims, position: this.position };
        throw Object.assign(new Error('down'), { name: 'TailraceError', code: 'SINK_UNREACHABLE' });
      }
    }
    const sink = new PluginSink();
    const timing = { now: () => 0, random: () => 0, sleep: async () => undefined };
    await using target = new SinkDeadLetters(sink, 'plugin', timing);
    await target.add([letter(0)]);
    expect(sink.keys).toEqual([`s/${letter(0).sequence}`]);
  });

  it('are what a pipeline file says', async () => {
    const file = path('letters-to-file.yaml');
    writeFileSync(
      path('garbage.sink.mjs'),
      readFileSync(join(repository, 'examples/json-state-sink.mjs'), 'utf8')
        .replaceAll("'tailrace/kit'", JSON.stringify(join(repository, 'dist/src/kit/index.js')))
        .replace("change.op === 'put' && change.type === 'string'", 'false')
        .replace("else if (change.type !== 'string')", 'else'),
    );
    {
      await using engine = await Engine.open(path('refused'));
      await engine.write(
        new WriteBatchBuilder()
          .put(1, Buffer.from('\x0b__namespacek', 'latin1'), Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1'))
          .finish(),
      );
    }
    writeFileSync(
      file,
      `name: p
source: { connector: wal, path: ${path('refused')}, follow: false }
errors: { poison: dead-letter }
deadLetters: { sink: { sink: file, path: ${path('letters-by-sink.ndjson')} } }
sinks: [{ sink: ./garbage.sink.mjs, path: ${path('nothing.json')} }]
`,
    );
    const run = await runTailrace('run', file);
    expect([run.status, run.stderr]).toEqual([0, expect.stringContaining('dead letters')]);
    const event = JSON.parse(readFileSync(path('letters-by-sink.ndjson'), 'utf8')) as {
      key: string;
      value: string;
    };
    expect(event.key).toBe('json-state/1');
    expect(JSON.parse(event.value)).toMatchObject({
      sink: 'json-state',
      sequence: 1,
      code: 'SINK_POISON',
      event: { key: 'k' },
    });
    // The file of the events stands for what was read from a topic.
    const command = (...parameters: string[]) => runTailrace('dead-letters', ...parameters);
    const unread = await command('list', file);
    expect([unread.status, unread.stderr]).toEqual([2, expect.stringContaining('--from FILE')]);
    const from = ['--from', path('letters-by-sink.ndjson')];
    expect((await command('list', file, ...from)).stdout).toMatch(/p +json-state +1 +put string .*"k"/);
    writeFileSync(
      path('garbage.sink.mjs'),
      readFileSync(join(repository, 'examples/json-state-sink.mjs'), 'utf8').replaceAll(
        "'tailrace/kit'",
        JSON.stringify(join(repository, 'dist/src/kit/index.js')),
      ),
    );
    const replayed = await command('replay', file, ...from);
    expect([replayed.status, replayed.stdout]).toEqual([0, 'delivered 1 dead letter, 0 stay\n']);
    expect(JSON.parse(readFileSync(path('nothing.json'), 'utf8'))).toMatchObject({ values: { '6b': '76' } });
    writeFileSync(path('no-letters.txt'), 'hello\n');
    expect((await command('replay', file, '--from', path('no-letters.txt'))).stderr).toContain(
      'no-letters.txt:1 is no dead letter',
    );
    expect((await command('replay', file, '--from', path('nowhere'))).stderr).toContain('nowhere');
  });
});

describe('tailrace dead-letters', () => {
  it('lists what a sink refused, delivers it once the sink takes it, and settles it', async () => {
    const example = readFileSync(join(repository, 'examples/json-state-sink.mjs'), 'utf8').replaceAll(
      "'tailrace/kit'",
      JSON.stringify(join(repository, 'dist/src/kit/index.js')),
    );
    writeFileSync(path('sink.mjs'), example);
    const put = (family: number, key: string, value: string) =>
      [family, Buffer.from(key, 'latin1'), Buffer.from(value, 'latin1')] as const;
    {
      await using engine = await Engine.open(path('store'));
      for (const records of [
        [put(1, '\x0b__namespacea', '\x81\0\0\0\0\0\0\0\x001')],
        [
          put(1, '\x0b__namespaceh', '\x82\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01'),
          put(0, '\x0b__namespace\0\0\0\x01h\0\0\0\0\0\0\0\x01f', 'v'),
        ],
        [put(1, '\x0b__namespaceb', '\x81\0\0\0\0\0\0\0\x002')],
      ]) {
        const batch = new WriteBatchBuilder();
        for (const record of records) batch.put(...record);
        await engine.write(batch.finish());
      }
    }
    const file = path('p.yaml');
    writeFileSync(
      file,
      `name: p
source: { connector: wal, path: ${path('store')}, follow: false }
errors: { poison: dead-letter, undecodable: dead-letter }
deadLetters: { url: "${redis.url}", stream: "{pipeline}-letters" }
sinks: [{ sink: ./sink.mjs, path: ${path('state.json')} }]
`,
    );
    const state = () =>
      JSON.parse(readFileSync(path('state.json'), 'utf8')) as {
        position: unknown;
        values: Record<string, string>;
      };
    expect((await runTailrace('run', file)).stderr).toContain('changes sent to the dead letters');
    const { position, values } = state();
    expect(values).toEqual({ '61': '31', '62': '32' });
    const listed = await runTailrace('dead-letters', 'list', file);
    expect(listed.stdout).toMatch(/p +json-state +\d+ +put hash .*"h" .*field="f".* no place for hash/);
    const again = await runTailrace('dead-letters', 'replay', file);
    expect([again.status, again.stdout]).toEqual([1, 'delivered 0 dead letters, 1 stays\n']);
    writeFileSync(
      path('sink.mjs'),
      example.replace("change.op === 'put' && change.type === 'string'", "change.op === 'put'"),
    );
    expect((await runTailrace('dead-letters', 'replay', file, '--sink', 'other')).stdout).toContain(
      'delivered 0',
    );
    const renamed = path('renamed.yaml');
    writeFileSync(
      renamed,
      readFileSync(file, 'utf8')
        .replace('state.json', 'other.json')
        .replace('{ sink:', '{ name: renamed, sink:'),
    );
    const left = await runTailrace('dead-letters', 'replay', renamed);
    expect([left.status, left.stdout]).toEqual([1, 'delivered 0 dead letters, 1 stays\n']);
    expect(left.stderr).toContain('the pipeline has no such sink any more sink=json-state letters=1');
    const replayed = await runTailrace('dead-letters', 'replay', file);
    expect([replayed.status, replayed.stdout]).toEqual([0, 'delivered 1 dead letter, 0 stay\n']);
    expect(state()).toMatchObject({ position, values: { '61': '31', '62': '32', '68': '76' } });
    expect((await runTailrace('dead-letters', 'list', file)).stdout).toBe(
      `no dead letters in p-letters at ${redis.url}\n`,
    );
    expect((await runTailrace('dead-letters', 'drop', file)).stdout).toBe('dropped 0 dead letters\n');
  });
});
