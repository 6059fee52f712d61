import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Problem, pipelineJsonSchema, pipelineSchema, readPipelines } from '../../config/index.js';
import { transformSchemas } from '../../config/transform-schema.js';
import { builtIn } from '../../src/cli/registry.js';

const folder = new URL('../../config/', import.meta.url);
const schema = pipelineJsonSchema(builtIn);
const check = new Ajv({ strict: false }).compile(schema);
const isValid = (text: string): boolean => check(parse(text));

describe('the JSON Schema of pipeline files', () => {
  it('takes every example, alone and among several', () => {
    const names = readdirSync(new URL('examples/', folder));
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const document: unknown = parse(readFileSync(new URL(`examples/${name}`, folder), 'utf8'));
      expect([name, check(document), check.errors]).toEqual([name, true, null]);
      expect(check({ pipelines: [document] })).toBe(true);
    }
  });

  it('takes transforms, routes, units and modules, and refuses what is misspelt', () => {
    const text = `name: x
source: { connector: kvrocks, url: redis://h }
transforms: [{ rename: { keys: "a:{id}", to: "b:{id}" } }, { hash: { fields: [a] } }]
routes: [{ keys: [a], to: [file] }]
limits: { creditBytes: 64MiB, batchChanges: "\${N}" }
retry: { max: 30s }
sinks: [{ sink: file, path: x, maxLag: 5 }, { sink: ./mine.mjs, anything: 1, name: y }]
`;
    expect([isValid(text), check.errors]).toEqual([true, null]);
    for (const [good, bad] of [
      ['max: 30s', 'max: soon'],
      ['rename:', 'renam:'],
      ['path: x', 'pth: x'],
      ['fields: [a]', 'fields: []'],
      ['maxLag: 5', 'maxLag: five'],
      ['name: x', 'nam: x'],
    ])
      expect([bad, isValid(text.replace(good, bad))]).toEqual([bad, false]);
  });

  it('refuses no value that the check takes, and takes none of another kind', () => {
    const refused: string[] = [];
    for (const { at, make } of everySetting())
      for (const value of sampleValues) {
        const document = make(value);
        if (isTaken(document) && !check(document)) refused.push(`${at} ${JSON.stringify(value)}`);
      }
    expect(refused).toEqual([]);
    for (const value of [-1, 'much', [], true])
      expect([value, check({ ...small, limits: { creditBytes: value } })]).toEqual([value, false]);
    expect(check({ ...small, admin: { listen: 'somewhere' } })).toBe(false);
    expect(check({ ...small, sinks: [{ sink: 'kafka', topic: 't', brokers: 'h:9092' }] })).toBe(false);
  });
});

const small = { name: 'x', source: { connector: 'kvrocks', url: 'redis://h' }, sinks: [{ sink: 'stdout' }] };

const sampleValues: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    1.5,
    1e99,
    5e9,
    2 ** 31 - 1,
    '',
    'x',
    '5',
    '30s',
    '1.5h',
    '5w',
    '-3s',
    '99d',
  ],
  ...['64KiB', '64 kib', '1.5MiB', '64K', '5B', 'redis://h', 'rediss://h:1', 'http://h', 'postgres://h/d'],
  ...[
    '9464',
    'h:1',
    '[::1]:5',
    '${X}',
    'x ${X}',
    [],
    ['x'],
    [1],
    ['string'],
    ['put'],
    ['h:1'],
    ['redis://h'],
  ],
  ...[{}, { a: 'b' }, { a: 1 }, { a: { b: 'c' } }, [{ keys: 'a', table: 'b', columns: { c: 'd' } }]],
];

/** Whether the check finds nothing wrong. Where more is missing than the value that is looked at, it is told elsewhere. */
const isTaken = (document: object): boolean => {
  const problems: Problem[] = [];
  const surroundings = { env: { X: '7' }, readSecret: () => '' };
  readPipelines(JSON.stringify(document), 'p.yaml', builtIn, surroundings, problems);
  return problems.length === 0;
};

type Settings = { readonly [name: string]: unknown };

/** Each setting of a pipeline, and of each source, sink and transform, with what makes a file of a value. */
const everySetting = (): { at: string; make: (value: unknown) => object }[] => {
  const required: Settings = {
    url: 'redis://h',
    path: 'p',
    brokers: ['h:1'],
    topic: 't',
    dir: 'd',
    fields: ['f'],
  };
  const others: Settings = { keys: 'k', to: 't', module: 'm' };
  const parts = (schema: object, at: string, make: (settings: Settings) => object) => {
    const base = Object.fromEntries(
      [...Object.entries(required), ...(at.startsWith('transform') ? Object.entries(others) : [])].filter(
        ([name]) => name in schema,
      ),
    );
    return leavesOf(schema).map((path) => ({
      at: `${at} ${path.join('.')}`,
      make: (value: unknown) => make({ ...base, ...nested(path, value) }),
    }));
  };
  return [
    ...parts(pipelineSchema, 'pipeline', (settings) => ({ ...small, ...settings })),
    ...[...builtIn.sources].flatMap(([connector, { schema }]) =>
      parts(schema, `source ${connector}`, (options) => ({ ...small, source: { connector, ...options } })),
    ),
    ...[...builtIn.sinks].flatMap(([sink, { schema }]) =>
      parts(schema, `sink ${sink}`, (options) => ({ ...small, sinks: [{ sink, ...options }] })),
    ),
    ...Object.entries(transformSchemas).flatMap(([name, schema]) =>
      parts(schema, `transform ${name}`, (options) => ({ ...small, transforms: [{ [name]: options }] })),
    ),
  ];
};

const leavesOf = (schema: object): string[][] =>
  Object.entries(schema).flatMap(([key, entry]: [string, object]) =>
    'default' in entry ? [[key]] : leavesOf(entry).map((path) => [key, ...path]),
  );

const nested = ([first, ...others]: readonly string[], value: unknown): Settings => ({
  [first]: others.length === 0 ? value : nested(others, value),
});
