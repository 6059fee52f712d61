import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisService, startRedis } from '../services/index.js';
import { playScenario } from '../support/client-scenario.js';
import { useServer } from '../support/use-server.js';

const parents = [
  'CLIENT',
  'COMMAND',
  'CONFIG',
  'LATENCY',
  'MEMORY',
  'OBJECT',
  'PUBSUB',
  'SLOWLOG',
  'XGROUP',
  'XINFO',
];

/** Wrong in their words alone, as can be told before they run. */
const wrong: readonly (readonly string[])[] = [
  ...parents.flatMap((parent) => [
    [parent, 'FOO'],
    [parent, 'constructor'],
    [parent, 'HELP', 'x'],
  ]),
  ['CLIENT', 'SETNAME'],
  ['CLIENT', 'ID', 'x'],
  ['COMMAND', 'COUNT', 'x'],
  ['COMMAND', 'GETKEYS', 'GET'],
  ['CONFIG', 'GET'],
  ['CONFIG', 'set', 'timeout'],
  ['LATENCY', 'HISTORY'],
  ['LATENCY', 'LATEST', 'x'],
  ['MEMORY', 'USAGE'],
  ['OBJECT', 'ENCODING'],
  ['OBJECT', 'Freq', 'a', 'b'],
  ['PUBSUB', 'NUMPAT', 'x'],
  ['SLOWLOG', 'LEN', 'x'],
  ['XGROUP', 'CREATE', 'x', 'g'],
  ['XGROUP', 'DESTROY', 'x', 'g', 'y'],
  ['XINFO', 'STREAM'],
  ['XINFO', 'GROUPS', 'x', 'y'],
];

describe('a subcommand', () => {
  const served = useServer('subcommands', { engine: { sync: 'none' } });
  let redis: RedisService;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it.each(wrong)(
    'that is wrong is refused at once, and its transaction with it, as in Redis: %s %s',
    async (...call) => {
      const steps = [
        ['a', ...call],
        ['a', 'MULTI'],
        ['a', 'SET', 'k', '1'],
        ['a', ...call],
        ['a', 'EXEC'],
        ['a', 'EXISTS', 'k'],
      ] as const;
      expect(await playScenario(served.server.port, steps)).toEqual(await playScenario(redis.port, steps));
    },
  );

  it.each(parents)('HELP is answered, in a transaction too: %s', async (parent) => {
    const help = await served.client.call(parent, 'HELP');
    await served.client.call('MULTI');
    expect(await served.client.call(parent, 'HELP')).toBe('QUEUED');
    expect(await served.client.call('EXEC')).toEqual([help]);
    expect(String(help)).toMatch(new RegExp(`^${parent} <subcommand>`));
  });

  it('of nothing that there is leaves no call unanswered', async () => {
    expect(String(await served.client.call('KPROFILE', 'MEMORY', 'constructor'))).toMatch(
      /unknown subcommand/,
    );
  });
});

describe('a command that there is not', () => {
  const served = useServer('refused-in-transactions', { engine: { sync: 'none' } });

  it('such as EVAL spoils a transaction as it is queued: none of the others is carried out', async () => {
    const { client } = served;
    await client.call('MULTI');
    await client.call('SET', 'k', '1');
    expect(String(await client.call('EVAL', 'return 1', '0'))).toMatch(
      /Lua scripts and functions are not supported/,
    );
    expect(String(await client.call('EXEC'))).toMatch(/EXECABORT/);
    expect(await client.call('EXISTS', 'k')).toBe(0);
  });
});
