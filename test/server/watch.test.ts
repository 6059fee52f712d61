import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisService, startRedis } from '../services/index.js';
import { playScenario, type ScenarioStep } from '../support/client-scenario.js';
import { useServer } from '../support/use-server.js';

const exec: readonly ScenarioStep[] = [
  ['a', 'MULTI'],
  ['a', 'PING'],
  ['a', 'EXEC'],
];

const scenarios: Readonly<Record<string, readonly ScenarioStep[]>> = {
  'a key that is there when all keys are deleted': [
    ['p', 'SET', 'k', '1'],
    ['a', 'WATCH', 'k'],
    ['p', 'FLUSHDB'],
    ...exec,
  ],
  'a missing key when all keys are deleted': [
    ['a', 'WATCH', 'k'],
    ['p', 'SET', 'a', '1'],
    ['p', 'SET', 'z', '1'],
    ['p', 'FLUSHALL'],
    ['p', 'FLUSHDB'],
    ...exec,
  ],
  'a missing key that came and went with all others': [
    ['a', 'WATCH', 'k', 'k'],
    ['p', 'MULTI'],
    ['p', 'SET', 'k', '1'],
    ['p', 'FLUSHDB'],
    ['p', 'EXEC'],
    ...exec,
  ],
  'a missing key that is deleted, alone': [['a', 'WATCH', 'k'], ['p', 'DEL', 'k'], ...exec],
  "the client's own write": [['a', 'WATCH', 'k'], ['a', 'SET', 'k', '1'], ...exec],
  'what is no longer watched': [
    ['a', 'WATCH', 'k'],
    ['p', 'SET', 'k', '1'],
    ['a', 'UNWATCH'],
    ...exec,
    ['a', 'WATCH', 'k'],
    ['a', 'MULTI'],
    ['a', 'DISCARD'],
    ['p', 'SET', 'k', '2'],
    ...exec,
  ],
  'an expiry': [['p', 'SET', 'k', '1'], ['a', 'WATCH', 'k'], ['p', 'EXPIRE', 'k', '100'], ...exec],
  'reads, and writes that find nothing to do': [
    ['p', 'RPUSH', 'l', '1'],
    ['p', 'ZADD', 'z', '5', 'm'],
    ['a', 'WATCH', 'l', 'z', 'none'],
    ['p', 'LREM', 'l', '0', 'x'],
    ['p', 'ZADD', 'z', 'GT', '3', 'm'],
    ['p', 'SORT', 'none', 'STORE', 'none'],
    ['p', 'GETEX', 'none', 'PERSIST'],
    ['p', 'LRANGE', 'l', '0', '-1'],
    ...exec,
  ],
};

describe('WATCH', () => {
  const served = useServer('watch', { engine: { sync: 'none' } });
  let redis: RedisService;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it.each(Object.keys(scenarios))('notices what Redis does: %s', async (name) => {
    const steps = scenarios[name] ?? [];
    expect(await playScenario(served.server.port, steps)).toEqual(await playScenario(redis.port, steps));
  });
});
