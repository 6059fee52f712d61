import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  formatProblem,
  loadPipelines,
  type PipelineConfig,
  type Problem,
  readPipelines,
  type Surroundings,
} from '../../config/index.js';
import { builtIn } from '../../src/cli/registry.js';
import { SeededRandom } from '../support/seeded-random.js';

const surroundings: Surroundings = {
  env: { PORT: '7000', SECRET: 'hunter2', EMPTY: '' },
  readSecret: (path) => {
    if (path !== '/run/secrets/redis') throw new Error('ENOENT: no such file');
    return 'from-file';
  },
};

const load = (text: string): { pipelines: PipelineConfig[]; problems: Problem[]; shown: string[] } => {
  const problems: Problem[] = [];
  const pipelines = readPipelines(text, 'p.yaml', builtIn, surroundings, problems);
  return { pipelines, problems, shown: problems.map(formatProblem) };
};

const good = `name: orders
source: { connector: kvrocks, url: "redis://127.0.0.1:6666" }
sinks:
  - sink: file
    path: out.ndjson
`;

describe('pipeline files', () => {
  it('are read with defaults, units and types', () => {
    const { pipelines, shown } = load(
      `${good}limits: { creditBytes: 64MiB }\nretry: { max: 30s }\nstartAt: latest\ntransforms:\n  - filter: { keys: ["order:*"], types: [hash] }\n`,
    );
    expect(shown).toEqual([]);
    expect(pipelines[0]).toMatchObject({
      name: 'orders',
      startAt: 'latest',
      errors: { undecodable: 'fail', poison: 'fail' },
      limits: { creditBytes: 64 * 1024 * 1024, batchChanges: 5_000 },
      retry: { max: 30_000 },
      source: { name: 'kvrocks', options: { url: 'redis://127.0.0.1:6666', pollBatches: 1000 } },
      sinks: [{ name: 'file', options: { path: 'out.ndjson', sync: true } }],
      transforms: [{ kind: 'filter', keys: ['order:*'], types: ['hash'] }],
    });
  });

  it('report every problem at once, each with its line and a suggestion', () => {
    const { shown } = load(`nam: orders
source:
  connector: kvrockz
sinks:
  - sink: file
    pth: out
    sync: sometimes
  - sink: redis
    url: redis://x
retry:
  max: soon
errors: { poison: ignore }
transforms:
  - filtr: { keys: [a] }
`);
    expect(shown).toEqual([
      'p.yaml:1:1 nam: unknown key (did you mean "name"?)',
      'p.yaml:1:1 name: is required',
      'p.yaml:12:19 errors.poison: must be one of fail, skip, dead-letter, not "ignore"',
      'p.yaml:11:8 retry.max: must be a time, such as 500ms, 30s or 5m, not "soon"',
      'p.yaml:3:14 source.connector: there is no connector "kvrockz" (did you mean "kvrocks"?); there are engine, file, kvrocks, wal',
      'p.yaml:6:5 sinks[0].pth: unknown key (did you mean "path"?)',
      'p.yaml:5:5 sinks[0].path: is required',
      'p.yaml:7:11 sinks[0].sync: must be true or false, not "sometimes"',
      'p.yaml:14:5 transforms[0]: must be a map with one transform: filter, rename, drop, mask, hash, parseJson, flatten, add, use (did you mean "filter"?)',
    ]);
  });

  it('tell wrong addresses beside each other, where they stand', () => {
    const { shown } = load(`name: x
source: { connector: kvrocks, url: "http://h" }
sinks:
  - { sink: redis, url: "redis://h:99999" }
  - { sink: kvrocks, url: "redis://u:50%off@h" }
admin: { listen: "127.0.0.1:99999" }
`);
    expect(shown.map((line) => line.split(', not ', 1)[0])).toEqual([
      'p.yaml:6:18 admin.listen: must be host:port, such as 127.0.0.1:9464',
      'p.yaml:2:36 source.url: must be an address such as redis://host:6379, or rediss:// for TLS (the scheme http:// is not redis:// or rediss://)',
      'p.yaml:4:25 sinks[0].url: must be an address such as redis://host:6379, or rediss:// for TLS (it is no URL, or its port is no port)',
      'p.yaml:5:27 sinks[1].url: must be an address such as redis://host:6379, or rediss:// for TLS (a % of the user name or password must be written as %25)',
    ]);
  });

  it('name a key that stands twice, and ask for a pipeline where there is none', () => {
    expect(load(`${good}name: again\n`).shown).toEqual([
      'p.yaml:6:1 the key "name" stands here a second time',
    ]);
    expect(load(`${good}---\nname: b\n`).shown).toEqual([
      'p.yaml:6:1 a second document begins here: a file holds one, with several pipelines in a list under "pipelines"',
    ]);
    expect(load('pipelines: []\n').shown).toEqual(['p.yaml:1:12 pipelines: at least one is required']);
    expect(load('name: x\nsource: { connector: wal, path: x }\nsinks: { sink: stdout }\n').shown).toEqual([
      'p.yaml:3:8 sinks: must be a list',
    ]);
  });

  it('tell an alias once, and a number that is too large as such', () => {
    expect(load(`${good}transforms: *other\nlimits: { batchChanges: 1e400 }\n`).shown).toEqual([
      'p.yaml:6:13 transforms: aliases and anchors are not supported',
      'p.yaml:7:25 limits.batchChanges: must be a whole number above 0, not Infinity',
    ]);
  });

  it('take values from the environment and from files', () => {
    const { pipelines, shown } = load(`name: "\${NAME:-fallback}-\${PORT}"
source: { connector: kvrocks, url: "redis://127.0.0.1:\${PORT}", password: "\${file:/run/secrets/redis}" }
limits:
  batchChanges: \${PORT}
sinks: [{ sink: file, path: "literal-$\${x}" }]
`);
    expect(shown).toEqual([]);
    expect(pipelines[0]).toMatchObject({
      name: 'fallback-7000',
      limits: { batchChanges: 7000 },
      source: { options: { url: 'redis://127.0.0.1:7000', password: 'from-file' } },
      sinks: [{ options: { path: 'literal-${x}' } }],
    });
    expect(load(good.replace('orders', '${MISSING}')).shown).toEqual([
      'p.yaml:1:7 name: the environment variable MISSING is not set (set it, or write ${MISSING:-default})',
    ]);
    expect(load(good.replace('orders', '${file:/nowhere}')).shown[0]).toContain('cannot read /nowhere');
  });

  it('name sinks apart, and check routes and transforms against them', () => {
    const { pipelines, shown } = load(`name: x
source: { connector: kvrocks, url: "redis://h" }
transforms:
  - rename: { keys: "a:{id}", to: "b:{id}" }
  - hash: { fields: [mail], secret: "\${SECRET}" }
  - use: { module: ./t.mjs, options: { limit: 3 } }
routes:
  - { keys: ["order:{id}"], to: [archive, file], key: "o:{id}" }
  - { to: [file-2] }
sinks:
  - { sink: file, path: a }
  - { sink: file, path: b }
  - { sink: file, path: c, name: archive, maxLag: 1000, transforms: [{ add: { fields: { region: eu } } }] }
`);
    expect(shown).toEqual([]);
    expect(pipelines[0]).toMatchObject({
      transforms: [
        { kind: 'rename', keys: 'a:{id}', to: 'b:{id}' },
        { kind: 'hash', fields: ['mail'], secret: 'hunter2', algorithm: 'sha256' },
        { kind: 'use', module: './t.mjs', export: 'default', options: { limit: 3 } },
      ],
      routes: [{ keys: ['order:{id}'], to: ['archive', 'file'], key: 'o:{id}' }, { to: ['file-2'] }],
      sinks: [
        { name: 'file', maxLag: 0, transforms: [] },
        { name: 'file-2' },
        { name: 'archive', maxLag: 1000, transforms: [{ kind: 'add', fields: { region: 'eu' } }] },
      ],
    });
    expect(
      load(`name: x
source: { connector: kvrocks, url: "redis://h" }
transforms:
  - drop: { fields: [] }
  - add: { fields: [a] }
routes:
  - { to: [fil] }
sinks:
  - { sink: file, path: a, name: twice, maxLag: -1 }
  - { sink: stdout, name: twice }
`).shown,
    ).toEqual([
      'p.yaml:9:49 sinks[0].maxLag: must be a whole number of 0 or more, not -1',
      'p.yaml:10:5 sinks[1].name: the name "twice" is taken by another sink',
      'p.yaml:4:21 transforms[0].drop.fields: must be a list of at least one string, not []',
      'p.yaml:5:20 transforms[1].add.fields: must be a map of names to text, not ["a"]',
      'p.yaml:7:11 routes[0].to: there is no sink named "fil"; there are twice, twice-2',
    ]);
  });

  it('name times that no timer keeps, maps in the place of values, and addresses of another store', () => {
    expect(
      load(`name: { a: 1 }
source: { connector: kvrocks, url: "redis://h", idlePollMs: 1e15 }
sinks:
  - { sink: redis, url: "redis://h", answerTimeout: 0, nodes: [other] }
  - { sink: file, path: f, rotate: { every: 100d } }
heartbeat: .inf
drainTimeout: 25d
retry: { giveUpAfter: 60d }
deadLetters: { path: "", sink: kafka }
offsets: { store: postgres, url: "redis://h", lease: 0s }
`).shown,
    ).toEqual([
      'p.yaml:1:7 name: must be a string, not {"a":1}',
      'p.yaml:9:22 deadLetters.path: is required',
      'p.yaml:9:32 deadLetters.sink: must be a map, not "kafka"',
      'p.yaml:10:54 offsets.lease: must be a time above 0, of at most 24 days, not "0s"',
      'p.yaml:6:12 heartbeat: must be a time, such as 500ms, 30s or 5m, not Infinity',
      'p.yaml:7:15 drainTimeout: must be a time of at most 24 days, not "25d"',
      'p.yaml:2:61 source.idlePollMs: must be a time above 0, of at most 24 days, not 1000000000000000',
      'p.yaml:4:63 sinks[0].nodes: must be a list of addresses such as redis://host:6379, not ["other"]',
      'p.yaml:4:53 sinks[0].answerTimeout: must be a time above 0, of at most 24 days, not 0',
      'p.yaml:10:34 offsets.url: must start with postgres:// for the store postgres',
    ]);
  });

  it('name places of positions and dead letters that would never be used', () => {
    const file = (rest: string): string =>
      `name: x\nsource: { connector: kvrocks, url: "redis://h" }\nsinks: [{ sink: stdout }]\n${rest}\n`;
    expect(load(file('offsets: { url: "redis://h" }')).shown).toEqual([
      'p.yaml:4:17 offsets.url: is not used by the store file: name the store that it is of, redis or postgres',
    ]);
    expect(
      load(file('deadLetters: { path: a, url: "http://h", sink: { sink: file, path: b } }')).shown,
    ).toEqual([
      'p.yaml:4:30 deadLetters.url: stands beside deadLetters.path: dead letters go to one place, name one',
      'p.yaml:4:48 deadLetters.sink: stands beside deadLetters.path: dead letters go to one place, name one',
      'p.yaml:4:30 deadLetters.url: must be an address such as redis://host:6379, or rediss:// for TLS',
    ]);
    expect(load(file('deadLetters: { path: a, url: "" }\noffsets: { path: a, url: "" }')).shown).toEqual([]);
  });

  it('never show a secret', () => {
    const { shown } = load(
      `name: x\nsource: { connector: kvrocks, url: "redis://h", password: [hunter2] }\nsinks: [{ sink: stdout }]\n`,
    );
    expect(shown.length).toBe(1);
    expect(shown.join()).not.toContain('hunter2');
  });

  it('take what is filled in as text where text is wanted, though it reads as a number', () => {
    const { pipelines, shown } = load(
      `${good.replace('orders', '${PORT}')}    namespaces: { default: "\${PORT}:" }\nlimits: { batchChanges: "10" }\nstartAt: 5\n`,
    );
    expect(shown).toEqual([
      'p.yaml:8:10 startAt: must be one of beginning, latest, not 5',
      'p.yaml:7:25 limits.batchChanges: must be a whole number above 0, not "10"',
    ]);
    expect(pipelines[0]?.name).toBe('7000');
    expect(load(good.replace('orders', '2024')).shown).toEqual([
      'p.yaml:1:7 name: must be a string, not 2024 (put it in quotes)',
    ]);
  });

  it('take a map as it stands, and none for a list', () => {
    const { pipelines, shown } = load(
      `${good}transforms: [{ filter: { keys: { "order:*" } } }, { mask: { fields: [a], keys: { b: c } } }]\nroutes: [{ to: [file], keys: {} }]\n`,
    );
    expect(shown).toEqual([
      'p.yaml:6:32 transforms[0].filter.keys: must be a list of strings, not {"order:*":null}',
      'p.yaml:6:80 transforms[1].mask.keys: must be a list of strings, not {"b":"c"}',
      'p.yaml:7:30 routes[0].keys: must be a list of strings, not {}',
    ]);
    expect(pipelines.length).toBe(1);
    const named = load(`${good}    namespaces: { orders: "o:" }\n`);
    expect([named.shown, named.pipelines[0]?.sinks[0]?.options]).toMatchObject([
      [],
      { namespaces: { orders: 'o:' } },
    ]);
    expect(named.pipelines[0]?.sinks[0]?.options).not.toHaveProperty('namespaces.default');
  });

  it('say once where the syntax is wrong, and what to do about a variable without quotes', () => {
    const url = 'url: "redis://h", password: ${SECRET} }';
    expect(load(good.replace('url: "redis://127.0.0.1:6666" }', url)).shown).toEqual([
      'p.yaml:2:60 within { } and [ ] write quotes around what is filled in: "${NAME}"',
    ]);
    expect(load('name: a\nname: b\nsinks: [\n').shown.length).toBe(2);
  });

  it('say where the syntax is wrong', () => {
    for (const [text, place] of [
      ['name: [unclosed\n', 'p.yaml:'],
      ['a: 1\na: 2\n', 'p.yaml:2:1'],
      ['\tname: x\n', 'p.yaml:1:1'],
      ['', 'p.yaml:1:1'],
      ['just text', 'p.yaml:1:1'],
      ['[1, 2]', 'p.yaml:1:1'],
    ] as const) {
      const { shown } = load(text);
      expect(shown.length).toBeGreaterThan(0);
      expect(shown[0]).toContain(place);
    }
  });

  it('hold one pipeline, or several under pipelines', () => {
    const indented = `${good.trimEnd().replace(/^/gm, '    ').replace('    name', '  - name')}\n`;
    const { pipelines, shown } = load(`pipelines:\n${indented}${indented.replace('orders', 'carts')}`);
    expect(shown).toEqual([]);
    expect(pipelines.map(({ name }) => name)).toEqual(['orders', 'carts']);
    expect(load(`name: x\npipelines: []\n`).shown[0]).toContain('stands beside pipelines');
  });

  it('number sinks of one kind', () => {
    const { pipelines } = load(`${good}  - { sink: file, path: other.ndjson }\n`);
    expect(pipelines[0]?.sinks.map(({ name }) => name)).toEqual(['file', 'file-2']);
  });

  it('cannot reach a prototype', () => {
    const { shown } = load(`${good}__proto__: { polluted: yes }\nconstructor: 1\n`);
    expect(shown.length).toBe(2);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('never break the loader, whatever they hold', () => {
    const random = SeededRandom.fromEnvironment('config fuzz');
    const words = [
      'name',
      'source',
      'sinks',
      'connector',
      'sink',
      'file',
      'kvrocks',
      ':',
      '-',
      '{',
      '}',
      '[',
      ']',
      '"',
      '\n',
      '  ',
      '${',
      '}',
      '&a',
      '*a',
      '!!js',
      '1e999',
      'null',
      '~',
      '\0',
      '#',
      '|',
      '>',
    ];
    for (let i = 0; i < 5_000; i++) {
      let text = random.next() < 0.5 ? good : '';
      for (let j = random.below(12); j > 0; j--) {
        const at = random.below(text.length + 1);
        text = text.slice(0, at) + random.pick(words) + text.slice(at + random.below(3));
      }
      const { pipelines, problems } = load(text);
      for (const pipeline of problems.length === 0 ? pipelines : [])
        expect(pipeline.sinks.length).toBeGreaterThan(0);
    }
  });
});

describe('the example pipelines', () => {
  const folder = fileURLToPath(new URL('../../config/examples/', import.meta.url));
  it.each(readdirSync(folder))('%s is valid as it stands', (name) => {
    expect(load(readFileSync(`${folder}${name}`, 'utf8')).shown).toEqual([]);
  });

  it('can be run together: no two write to the same place', () => {
    const files = readdirSync(folder).map((name) => `${folder}${name}`);
    expect(loadPipelines(files, builtIn).problems.map(formatProblem)).toEqual([]);
  });
});
