import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Definitions, formatProblem, loadPipelines } from '../../config/index.js';
import { builtIn } from '../../src/cli/registry.js';

describe('pipeline files that are loaded together', () => {
  it('are refused in another encoding, as secrets are, instead of being read as another text', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const file = join(directory, 'p.yaml');
    const secret = join(directory, 'secret');
    const shownOf = (bytes: Buffer): string[] => {
      writeFileSync(file, bytes);
      return loadPipelines([file], builtIn).problems.map(formatProblem);
    };
    expect(shownOf(Buffer.from('# one\nname: café\n', 'latin1'))).toEqual([
      `${file}:1:1 line 2 is not text in UTF-8`,
    ]);
    expect(shownOf(Buffer.from('\ufeffname: p\n', 'utf16le'))).toEqual([
      `${file}:1:1 line 1 is not text in UTF-8`,
    ]);
    writeFileSync(secret, Buffer.from('pässword\n', 'latin1'));
    expect(shownOf(Buffer.from(`name: $${'{'}file:${secret}}\n`)).join('\n')).toContain(
      `cannot read ${secret}: line 1 is not text in UTF-8`,
    );
    rmSync(directory, { recursive: true });
  });

  it('are refused when they never end, as secrets are, or nest too deep', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const shownOf = (text: string): string[] => {
      const file = join(directory, 'p.yaml');
      writeFileSync(file, text);
      return loadPipelines([file], builtIn).problems.map(formatProblem);
    };
    expect(loadPipelines(['/dev/zero'], builtIn).problems.map(formatProblem)).toEqual([
      '/dev/zero:1:1 the file is larger than 4194304 bytes',
    ]);
    expect(shownOf('name: $' + '{file:/dev/zero}').join('\n')).toContain(
      'cannot read /dev/zero: the file is larger than 1048576 bytes',
    );
    const deep = shownOf(`name: ${'['.repeat(100_000)}`);
    expect(deep.join('\n')).toMatch(/:1:\d+ lists or maps stand too deep in each other here$/m);
    rmSync(directory, { recursive: true });
  });

  it('say what is wrong with a path that is no file', () => {
    const { problems } = loadPipelines(['/nowhere/orders.yaml', tmpdir()], builtIn);
    expect(problems.map(formatProblem)).toEqual([
      '/nowhere/orders.yaml:1:1 there is no such file',
      `${tmpdir()}:1:1 this is a directory, not a file`,
    ]);
  });

  it('say that a name is longer than a file can be named, with its place', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const file = join(directory, 'long.yaml');
    const shownOf = (name: string, sink = 'to'): string[] => {
      const sinks = `sinks:\n  - { sink: stdout, name: ${sink} }`;
      writeFileSync(file, `name: ${name}\nsource: { connector: wal, path: a }\n${sinks}\n`);
      return loadPipelines([file], builtIn).problems.map(formatProblem);
    };
    const long = (bytes: number) => expect.stringContaining(`makes a file name of ${bytes} bytes`);
    expect(shownOf('a'.repeat(234))).toEqual([]);
    expect(shownOf('a'.repeat(238))).toEqual([long(238)]);
    expect(shownOf('a'.repeat(238))[0]).toMatch(/long\.yaml:1:7 name: /);
    expect(shownOf('ß'.repeat(40))).toEqual([long(240)]);
    expect(shownOf('a'.repeat(200), 'b'.repeat(200))).toEqual([long(401)]);
    expect(shownOf('a'.repeat(200), 'b'.repeat(200))[0]).toMatch(/long\.yaml:4:5 sinks\[0\]: its name/);
    expect(shownOf('"\\ud800"')).toEqual([expect.stringContaining('half a character')]);
    rmSync(directory, { recursive: true });
  });

  it('tell each mistake once, in the order of the file, and where a name is taken or a list is missing', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const file = join(directory, 'several.yaml');
    writeFileSync(
      file,
      `pipelines:
  - name: twice
    source: &shared { connector: wal, path: a }
    transforms: [{ filter: { types: [hsh], ops: [put, clear] } }]
    sinks: [{ sink: kafka, brokers: "127.0.0.1:9092" }]
    offsets: { store: redis }
  - name: twice
    source: *shared
    sinks: [{ sink: postgres, url: "http://h/db" }]
`,
    );
    const { problems } = loadPipelines([file], builtIn);
    rmSync(directory, { recursive: true });
    expect(problems.map((problem) => formatProblem(problem).slice(file.length + 1))).toEqual([
      expect.stringMatching(
        /^4:37 pipelines\[0\]\.transforms\[0\]\.filter\.types: must be some of string, hash, .* \(did you mean "hash"\?\), not \["hsh"\]$/,
      ),
      '5:37 pipelines[0].sinks[0].brokers: must be a list of brokers as host:port, not "127.0.0.1:9092"',
      '6:14 pipelines[0].offsets.url: is required for the store redis: redis://…',
      expect.stringMatching(/^7:11 name: the name "twice" is taken by another pipeline in/),
      '8:13 pipelines[1].source: aliases and anchors are not supported',
      '9:36 pipelines[1].sinks[0].url: must be an address that starts with postgres://, not "http://h/db"',
    ]);
  });

  it('tell of an address that would never be reached: no port, no URL, a listener of a broker', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const file = join(directory, 'addresses.yaml');
    writeFileSync(
      file,
      `name: p
source: { connector: wal, path: a }
sinks:
  - { sink: kafka, brokers: ["h:99999"] }
  - { sink: kafka, brokers: ["PLAINTEXT://h:9092"] }
  - { sink: kafka, brokers: ["[::1]:9092"] }
  - { sink: postgres, url: "postgres://app:a#b@h/db" }
offsets: { store: redis, url: "redis://h:123456" }
deadLetters: { url: "redis://:a#b@h" }
`,
    );
    const { problems } = loadPipelines([file], builtIn);
    rmSync(directory, { recursive: true });
    expect(problems.map((problem) => formatProblem(problem).slice(file.length + 1))).toEqual([
      '4:29 sinks[0].brokers: must be a list of brokers as host:port, not ["h:99999"]',
      '5:29 sinks[1].brokers: must be a list of brokers as host:port, not ["PLAINTEXT://h:9092"]',
      expect.stringMatching(/^7:28 sinks\[3\]\.url: must be an address such as postgres:.*it is no URL/),
      expect.stringMatching(/^8:31 offsets\.url: is no URL/),
      expect.stringMatching(/^9:21 deadLetters\.url: is no URL/),
    ]);
  });

  it('refuse to write whole batches to the server that they come from, by whichever name', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const file = join(directory, 'loop.yaml');
    writeFileSync(
      file,
      `name: p
source: { connector: kvrocks, url: "redis://127.0.0.1" }
sinks:
  - { sink: kvrocks, url: "redis://localhost:6379" }
  - { sink: kvrocks, url: "redis://localhost:6380" }
`,
    );
    const { problems } = loadPipelines([file], builtIn);
    rmSync(directory, { recursive: true });
    expect(problems.map((problem) => formatProblem(problem).slice(file.length + 1))).toEqual([
      '4:5 sinks[0]: writes to the server that the source reads: name another one',
    ]);
  });

  it('refuse two sinks that write to one file, or into the schema of one mirror, wherever they stand', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-config-'));
    const write = (name: string, sinks: string): string => {
      const file = join(directory, `${name}.yaml`);
      writeFileSync(file, `name: ${name}\nsource: { connector: wal, path: a }\n${sinks}\n`);
      return file;
    };
    const mirror = '{ sink: postgres, mode: mirror, url: "postgres://app:secret@h/db"';
    const a = write('a', `sinks: [{ sink: file, path: x/../out }, { sink: file, path: other }, ${mirror} }]`);
    const b = write('b', `sinks: [{ sink: file, path: ./out }, ${mirror} }, ${mirror}, schema: second }]`);
    const c = write('c', 'sinks: [{ sink: stdout }]\ndeadLetters: { sink: { sink: file, path: other } }');
    const d = write(
      'd',
      'sinks: [{ sink: stdout }]\nerrors: { poison: dead-letter }\ndeadLetters: { path: out }',
    );
    const e = write('e', 'sinks: [{ sink: stdout }]\ndeadLetters: { path: out }'); // none come
    const { problems } = loadPipelines([a, b, c, d, e], builtIn);
    rmSync(directory, { recursive: true });
    const own = 'give each a place of its own';
    expect(problems.map((problem) => formatProblem(problem).replaceAll(`${directory}/`, ''))).toEqual([
      `b.yaml:3:9 sinks[0]: writes to the same place as the file sink at a.yaml:3:9 sinks[0]: ${own}`,
      `b.yaml:3:38 sinks[1]: writes to the same place as the postgres sink at a.yaml:3:70 sinks[2]: ${own}`,
      `c.yaml:4:22 deadLetters.sink: writes to the same place as the file sink at a.yaml:3:41 sinks[1]: ${own}`,
      `d.yaml:5:22 deadLetters.path: is what the file sink at a.yaml:3:9 sinks[0] writes to: ${own}`,
    ]);
  });

  it('use the module that each names by a path of its own, and tell what is wrong with each', () => {
    const { sinks, sources } = builtIn;
    const own = (name: string): Definitions => {
      const stdout = sinks.get('stdout');
      return {
        sources: new Map(),
        sinks: stdout ? new Map([['./own.mjs', { ...stdout, name }]]) : new Map(),
      };
    };
    const folder = mkdtempSync(join(tmpdir(), 'tailrace-own-'));
    const files = ['a.yaml', 'b.yaml', 'c.yaml'].map((name) => join(folder, name));
    for (const [i, file] of files.entries())
      writeFileSync(file, `name: p${i}\nsource: { connector: wal, path: x }\nsinks: [{ sink: ./own.mjs }]\n`);
    const faults = new Map([['./own.mjs', 'cannot be used: it is broken']]);
    const ofFiles = new Map([
      [files[0], own('first')],
      [files[1], own('second')],
      [files[2], { sources: new Map(), sinks: new Map(), faults }],
    ]);
    const { pipelines, problems } = loadPipelines(files, { sources, sinks, ofFiles });
    rmSync(folder, { recursive: true });
    expect(pipelines.map((pipeline) => pipeline.sinks.map(({ name }) => name))).toEqual([
      ['first'],
      ['second'],
      [],
    ]);
    expect(problems.map(formatProblem)).toEqual([
      `${files[2]}:3:17 sinks[0].sink: cannot be used: it is broken`,
    ]);
  });
});
