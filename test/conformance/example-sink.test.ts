import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import type { Sink } from '../../src/kit/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { runTailrace } from '../support/tailrace-program.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const example = join(repository, 'examples/json-state-sink.mjs');

let directory = throwAwayDirectory('example-sink');
const others = [directory];
afterAll(() => {
  for (const { remove } of others) remove();
});
const state = (): string => join(directory.path, 'state.json');

const { JsonStateSink } = (await import(pathToFileURL(example).href)) as {
  JsonStateSink: new (options: { path: string }) => Sink;
};

sinkConformance('the example of a sink of one’s own', {
  open: () => new JsonStateSink({ path: state() }),
  contents: async () =>
    new Map(
      existsSync(state())
        ? Object.entries(
            (JSON.parse(readFileSync(state(), 'utf8')) as { values: Record<string, string> }).values,
          )
        : [],
    ),
  fencing: 'lock',
  clean: async () => {
    directory = throwAwayDirectory('example-sink');
    others.push(directory);
  },
});

describe('a sink of one’s own', () => {
  it('stands in a pipeline file by its path, and by the name of its package', async () => {
    const project = throwAwayDirectory('plugin');
    others.push(project);
    const at = (...parts: string[]): string => join(project.path, ...parts);
    mkdirSync(at('node_modules/tailrace-sink-json'), { recursive: true });
    symlinkSync(repository, at('node_modules/tailrace'));
    cpSync(example, at('sink.mjs'));
    cpSync(example, at('node_modules/tailrace-sink-json/index.mjs'));
    writeFileSync(
      at('node_modules/tailrace-sink-json/package.json'),
      '{"name":"tailrace-sink-json","version":"1.0.0","type":"module","exports":{"import":"./index.mjs"}}',
    );
    {
      await using engine = await Engine.open(at('store'));
      await engine.write(
        new WriteBatchBuilder()
          .put(1, Buffer.from('\x0b__namespacek'), Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1'))
          .finish(),
      );
    }
    writeFileSync(
      at('p.yaml'),
      `name: p
source: { connector: wal, path: ${at('store')}, follow: false }
sinks:
  - { sink: ./sink.mjs, path: ${at('a.json')} }
  - { sink: tailrace-sink-json, path: ${at('b.json')} }
`,
    );
    const validated = await runTailrace('validate', at('p.yaml'));
    expect([validated.stderr, validated.status]).toEqual(['', 0]);
    expect(validated.stdout).toMatch(/json-state +exactly-once\n.*json-state-2 +exactly-once/);
    expect((await runTailrace('run', at('p.yaml'))).status).toBe(0);
    for (const file of ['a.json', 'b.json'])
      expect(JSON.parse(readFileSync(at(file), 'utf8'))).toMatchObject({
        position: { sequence: 1 },
        values: { '6b': '76' },
      });
    for (const [name, reason] of [
      ['./nowhere.mjs', 'bad.yaml:3:17 sinks[0].sink: cannot be used: there is no file'],
      ['./p.yaml', 'cannot be used: Unknown file extension'],
      ['tailrace', 'it exports no sink'],
      [
        'tailrace-sink-jsno',
        'there is no sink "tailrace-sink-jsno", nor a package of that name (a module is named by its path',
      ],
    ]) {
      writeFileSync(
        at('bad.yaml'),
        `name: p\nsource: { connector: wal, path: x }\nsinks: [{ sink: ${name} }]\n`,
      );
      const bad = await runTailrace('validate', at('bad.yaml'));
      expect([bad.status, bad.stderr]).toEqual([2, expect.stringContaining(reason)]);
    }
  });
});
