import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Transaction } from '../../src/kit/index.js';
import {
  addStage,
  type ChangeStage,
  chainStages,
  compileRoute,
  dropStage,
  filterStage,
  flattenStage,
  hashStage,
  loadUserFunction,
  maskStage,
  parseJsonStage,
  renameStage,
  routeStage,
} from '../../src/pipeline/index.js';
import { throwAwayDirectory } from '../services/index.js';

const bytes = (text: string): Buffer => Buffer.from(text);
let at = 0;
const base = (key: string) => ({ seq: 10 + at, index: at++, ns: 'default', key: bytes(key) });
const string = (key: string, value: string, ttlAt?: number): Change => ({
  ...base(key),
  op: 'put',
  type: 'string',
  value: bytes(value),
  ttlAt,
});
const json = (key: string, value: unknown): Change => ({
  ...base(key),
  op: 'put',
  type: 'json',
  value: bytes(typeof value === 'string' ? value : JSON.stringify(value)),
  ttlAt: undefined,
});
const hash = (key: string, field: string, value: string): Change => ({
  ...base(key),
  op: 'put',
  type: 'hash',
  field: bytes(field),
  value: bytes(value),
});
const gone = (key: string): Change => ({ ...base(key), op: 'delete', type: 'key' });
const entry = (key: string, ...fields: string[]): Change => ({
  ...base(key),
  op: 'put',
  type: 'stream',
  id: '1-1',
  fields: fields.map(bytes),
});
const cleared = (): Change => ({
  seq: 10 + at,
  index: at++,
  ns: 'default',
  op: 'clear',
  type: 'namespace',
  slot: undefined,
});

const transaction = (...changes: Change[]): Transaction => ({
  first: 10,
  last: 9 + changes.length,
  count: changes.length,
  bytes: Buffer.from('raw'),
  changes,
  undecodable: [],
});

const run = async (stages: readonly ChangeStage[], ...changes: Change[]): Promise<Transaction> => {
  const given = transaction(...changes);
  return (await chainStages(stages)?.(given)) ?? given;
};

/** Byte strings as text. */
const plain = (change: Change): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(change)
      .filter(([name, value]) => !['seq', 'index', 'ns'].includes(name) && value !== undefined)
      .map(([name, value]) => [name, textOf(value)]),
  );
const textOf = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value).toString()
    : Array.isArray(value)
      ? value.map(textOf)
      : value;
const shown = async (stages: readonly ChangeStage[], ...changes: Change[]) =>
  (await run(stages, ...changes)).changes.map(plain);

beforeEach(() => {
  at = 0;
});

describe('transforms', () => {
  it('leave the transaction itself alone when they change nothing, and keep its range and bytes when they do', async () => {
    const given = transaction(string('a', '1'), string('b', '2'));
    const chain = chainStages([
      filterStage({ keys: ['*'] }),
      renameStage('x:{id}', 'y:{id}'),
      maskStage({ keys: [], fields: ['*'] }, '-'),
    ]);
    expect(chain?.(given)).toBe(given);
    const kept = await run([filterStage({ keys: ['a'] })], ...given.changes);
    expect([kept.first, kept.last, kept.count, kept.bytes]).toEqual([10, 11, 2, given.bytes]);
    expect(kept.changes).toEqual([given.changes[0]]);
  });

  it('leave out keys that a filter excludes, also of those that it names', async () => {
    const changes = ['a', 'ab', 'b', 'bb'].map((key) => string(key, 'v'));
    const keysOf = async (options: { keys?: string[]; excludeKeys: string[] }) =>
      (await shown([filterStage(options)], ...changes)).map(({ key }) => key);
    expect(await keysOf({ excludeKeys: ['?b'] })).toEqual(['a', 'b']);
    expect(await keysOf({ keys: ['a*'], excludeKeys: ['?b'] })).toEqual(['a']);
  });

  it('edit a large transaction in turns between which others have theirs, as they edit a small one', async () => {
    const count = 250_500;
    const kept = Array.from({ length: count }, (_, i) => string(`k:${i}`, String(i)));
    const stage = renameStage('x:{id}', 'y:{id}');
    const given = transaction();
    const large = { ...given, count, changes: kept };
    expect(await chainStages([stage])?.(large)).toBe(large);
    const isEdited = (i: number): boolean => i > 5_000 && i % 1_000 === 999; // none in the first turns
    const mixed = kept.map((change, i) => (isEdited(i) ? string(`x:${i}`, 'v') : change));
    let isDone = false;
    const editing = Promise.resolve(chainStages([stage])?.({ ...large, changes: mixed })).finally(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(turns).toBeGreaterThan(1);
    const keys = (await editing)?.changes.map((change) => ('key' in change ? change.key.toString() : ''));
    expect(keys?.length).toBe(count);
    expect(keys?.findIndex((key, i) => key !== `${isEdited(i) ? 'y' : 'k'}:${i}`)).toBe(-1);
  });

  it('rename keys with what a pattern captures, in every change of the key and in the words of a command', async () => {
    const command: Change = {
      ...base('user:7'),
      op: 'streamMeta',
      type: 'stream',
      command: ['XGROUP', 'CREATE', bytes('user:7'), bytes('user:7'), '0'],
    };
    expect(
      await shown(
        [renameStage('user:{id}', 'people/{id}/x')],
        string('user:7', 'v'),
        gone('user:8:b'),
        string('other', 'v'),
        command,
      ),
    ).toEqual([
      { op: 'put', type: 'string', key: 'people/7/x', value: 'v' },
      { op: 'delete', type: 'key', key: 'people/8:b/x' },
      { op: 'put', type: 'string', key: 'other', value: 'v' },
      {
        op: 'streamMeta',
        type: 'stream',
        key: 'people/7/x',
        command: ['XGROUP', 'CREATE', 'people/7/x', 'user:7', '0'],
      },
    ]);
    const odd = Buffer.from([0x61, 0xff, 0x0a, 0x62]);
    const renamed = await run([renameStage('a{rest}', 'ü{rest}')], {
      ...string('x', 'v'),
      key: odd,
    } as Change);
    expect(renamed.changes.map((change) => 'key' in change && Buffer.from(change.key))).toEqual([
      Buffer.concat([bytes('ü'), odd.subarray(1)]),
    ]);
    expect(() => renameStage('a:{id}', '{nr}')).toThrow(/\{nr\} is not known; there is \{id\}/);
    expect(() => renameStage('a:{id', 'x')).toThrow(/not closed/);
  });

  it('drop, mask and hash fields of hashes, streams and documents, and of expiries that carry a document', async () => {
    const changes = () => {
      at = 0;
      return [
        hash('u', 'name', 'ada'),
        hash('u', 'password', 'secret'),
        { ...base('u'), op: 'delete', type: 'hash', field: bytes('password') } as Change,
        entry('s', 'password', 'p', 'n', '1'),
        entry('s', 'password', 'p'),
        json('j', { password: 'p', list: [{ card: { number: 4111111111111111 } }], name: 'x' }),
        { ...base('j'), op: 'expire', type: 'json', ttlAt: 5, value: bytes('{"password":"p"}') } as Change,
        string('t', 'plain'),
      ];
    };
    const selection = { keys: [], fields: ['pass*', 'list.card.number'] };
    expect(await shown([dropStage(selection)], ...changes())).toEqual([
      { op: 'put', type: 'hash', key: 'u', field: 'name', value: 'ada' },
      { op: 'put', type: 'stream', key: 's', id: '1-1', fields: ['n', '1'] },
      { op: 'put', type: 'json', key: 'j', value: '{"list":[{"card":{}}],"name":"x"}' },
      { op: 'expire', type: 'json', key: 'j', ttlAt: 5, value: '{}' },
      { op: 'put', type: 'string', key: 't', value: 'plain' },
    ]);
    const masked = await shown([maskStage({ ...selection, values: true }, '***')], ...changes());
    expect(masked.map(({ value, fields }) => value ?? fields)).toEqual([
      'ada',
      '***',
      undefined,
      ['password', '***', 'n', '1'],
      ['password', '***'],
      '{"password":"***","list":[{"card":{"number":"***"}}],"name":"x"}',
      '{"password":"***"}',
      '***',
    ]);
    const hashed = await shown(
      [hashStage({ keys: ['u'], fields: ['password'] }, 'sha256', 'pepper')],
      ...changes(),
    );
    expect(hashed[1]?.['value']).toMatch(/^[0-9a-f]{64}$/);
    expect(hashed[5]?.['value']).toContain('"password":"p"');
  });

  it('keep the digits of large numbers in documents that they change', async () => {
    const [changed] = await shown(
      [dropStage({ keys: [], fields: ['x'] })],
      json('j', '{"id":12345678901234567890,"x":1,"price":1.50,"e":1e400,"s":"12345678901234567890"}'),
    );
    expect(changed?.['value']).toBe(
      '{"id":12345678901234567890,"price":1.50,"e":1e400,"s":"12345678901234567890"}',
    );
  });

  it('parse strings that hold documents, and flatten documents in place or into hashes', async () => {
    const document = string('d', '{"a":{"b":1,"c":{"d":"x"}},"l":[{"e":1}],"o":{}}', 99);
    expect(
      await shown(
        [parseJsonStage([]), flattenStage([], '.', 'json')],
        document,
        string('n', '17'),
        string('t', '{broken'),
      ),
    ).toEqual([
      { op: 'put', type: 'json', key: 'd', value: '{"a.b":1,"a.c.d":"x","l":[{"e":1}],"o":{}}', ttlAt: 99 },
      { op: 'put', type: 'string', key: 'n', value: '17' },
      { op: 'put', type: 'string', key: 't', value: '{broken' },
    ]);
    const flat = await run(
      [parseJsonStage(['d']), flattenStage(['d'], '_', 'hash')],
      document,
      string('n', '17'),
    );
    expect(flat.changes.map(plain)).toEqual([
      { op: 'delete', type: 'key', key: 'd' },
      { op: 'put', type: 'hash', key: 'd', field: 'a_b', value: '1' },
      { op: 'put', type: 'hash', key: 'd', field: 'a_c_d', value: 'x' },
      { op: 'put', type: 'hash', key: 'd', field: 'l', value: '[{"e":1}]' },
      { op: 'put', type: 'hash', key: 'd', field: 'o', value: '{}' },
      { op: 'expire', type: 'hash', key: 'd', ttlAt: 99 },
      { op: 'put', type: 'string', key: 'n', value: '17' },
    ]);
    expect(flat.changes.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const toHash = [parseJsonStage([]), flattenStage([], '_', 'hash')];
    expect(await shown(toHash, string('e', '{}', 99))).toEqual([{ op: 'delete', type: 'key', key: 'e' }]);
    const noText = { ...string('n', ''), value: Buffer.from('{"a":"\xff"}', 'latin1') } as Change;
    expect((await run(toHash, noText)).changes).toEqual([noText]);
  });

  it('add fields with facts and captures: once a transaction for a hash', async () => {
    const stage = addStage('order:{id}', { region: 'eu', of: '{id}/{type}/{ns}' });
    expect(
      await shown(
        [stage],
        hash('order:1', 'a', '1'),
        hash('order:1', 'b', '2'),
        json('order:2', { a: 1 }),
        entry('order:3', 'x', 'y'),
        gone('order:4'),
        string('order:5', 'v'),
      ),
    ).toEqual([
      { op: 'put', type: 'hash', key: 'order:1', field: 'a', value: '1' },
      { op: 'put', type: 'hash', key: 'order:1', field: 'region', value: 'eu' },
      { op: 'put', type: 'hash', key: 'order:1', field: 'of', value: '1/hash/default' },
      { op: 'put', type: 'hash', key: 'order:1', field: 'b', value: '2' },
      { op: 'put', type: 'json', key: 'order:2', value: '{"a":1,"region":"eu","of":"2/json/default"}' },
      {
        op: 'put',
        type: 'stream',
        key: 'order:3',
        id: '1-1',
        fields: ['x', 'y', 'region', 'eu', 'of', '3/stream/default'],
      },
      { op: 'delete', type: 'key', key: 'order:4' },
      { op: 'put', type: 'string', key: 'order:5', value: 'v' },
    ]);
  });
});

describe('routes', () => {
  const routes = [
    { keys: ['order:{id}'], types: ['hash'], to: ['a'], key: 'o/{id}' },
    { keys: ['order:*', 'cart:*'], to: ['b', 'c'] },
    { keys: [], ops: ['put'], to: ['c'] },
  ];
  const keysAt = async (sink: string, ...changes: Change[]) =>
    (await run([routeStage(routes.map(compileRoute), sink)], ...changes)).changes.map((change) =>
      'key' in change ? Buffer.from(change.key).toString() : change.op,
    );

  it('send a change to the sinks of the first route that matches, and nowhere when none does', async () => {
    const changes = [
      hash('order:1', 'f', 'v'),
      string('order:2', 'v'),
      string('x', 'v'),
      { ...base('x'), op: 'persist', type: 'string', value: undefined } as Change,
    ];
    expect(await keysAt('a', ...changes)).toEqual(['o/1']);
    expect(await keysAt('b', ...changes)).toEqual(['order:2']);
    expect(await keysAt('c', ...changes)).toEqual(['order:2', 'x']);
  });

  it('send deleted keys and cleared namespaces to every route that they may concern', async () => {
    const changes = [gone('order:1'), cleared()];
    expect(await keysAt('a', ...changes)).toEqual(['o/1', 'clear']);
    expect(await keysAt('b', ...changes)).toEqual(['order:1', 'clear']);
    expect(await keysAt('c', gone('cart:1'))).toEqual(['cart:1']);
  });
});

describe('a function of the user', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  beforeEach(() => {
    directory = throwAwayDirectory('transform');
  });
  afterEach(() => directory.remove());

  const load = (source: string, name = 'default') => {
    const file = `transform-${Math.random().toString(36).slice(2)}.mjs`;
    writeFileSync(join(directory.path, file), source);
    return loadUserFunction(
      { module: `./${file}`, export: name, options: { limit: 1 }, from: join(directory.path, 'p.yaml') },
      { pipeline: 'p', sink: 's' },
    );
  };

  it('gets the changes of a transaction and gives back others, at once or later', async () => {
    for (const keyword of ['', 'async'])
      expect(
        await shown(
          [
            await load(
              `export default ${keyword} (changes) => changes.map((change) => ({ ...change, ttlAt: (change.ttlAt ?? 0) + 1 }));`,
            ),
            await load(`export default ${keyword} (changes, { options, first }) =>
              changes.slice(0, options.limit).flatMap((change) => [change, { ...change, value: Buffer.from(String(first)) }]);`),
            renameStage('{all}', '{all}!'),
          ],
          string('a', '1'),
          string('b', '2'),
        ),
      ).toEqual([
        { op: 'put', type: 'string', key: 'a!', value: '1', ttlAt: 1 },
        { op: 'put', type: 'string', key: 'a!', value: '10', ttlAt: 1 },
      ]);
  });

  it('is found by the name of its package where the pipeline file stands', async () => {
    const folder = join(directory.path, 'node_modules', 'only-even');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"exports":{"import":"./index.mjs"}}');
    writeFileSync(join(folder, 'index.mjs'), 'export default () => []');
    const stage = await loadUserFunction(
      { module: 'only-even', export: 'default', options: {}, from: join(directory.path, 'p.yaml') },
      { pipeline: 'p', sink: 's' },
    );
    expect(await shown([stage], string('a', '1'))).toEqual([]);
  });

  it('fails with the place when it throws or gives back something else, and when it cannot be loaded', async () => {
    for (const source of [
      'export default () => { throw new Error("oh"); }',
      'export default async () => { throw new Error("oh"); }',
      'export default () => 17',
      'export default async () => 17',
      'export default () => [{ op: "put" }]',
    ])
      await expect(async () => run([await load(source)], string('a', '1'))).rejects.toMatchObject({
        code: 'TRANSFORM_FAILED',
        context: { sequence: 10 },
      });
    await expect(load('export const x = 1')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(load('export default (')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(
      loadUserFunction(
        { module: './nowhere.mjs', export: 'default', options: {}, from: 'p.yaml' },
        { pipeline: 'p', sink: 's' },
      ),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('nowhere.mjs') });
  });
});
