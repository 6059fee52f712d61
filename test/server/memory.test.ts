import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HeapSummary } from '../../src/engine/index.js';
import { useServer } from '../support/use-server.js';

const served = useServer('memory', { engine: { sync: 'none' } });
let client: Redis;
beforeAll(() => {
  client = new Redis(served.server.port);
});
afterAll(() => client.disconnect());

const asked = async (...words: string[]): Promise<unknown> => {
  const [command, ...args] = words;
  return client.call(command, ...args).catch((error: Error) => error.message);
};

describe('heap profiling while the server runs', () => {
  it('is switched on and off and dumped by KPROFILE, in any case of letters', async () => {
    expect(await asked('KPROFILE', 'MEMORY', 'STATUS')).toBe('disabled');
    expect(await asked('KPROFILE', 'MEMORY', 'DUMP', '.')).toMatch(/^ERR .*never switched on/);
    expect(await asked('kprofile', 'memory', 'enable')).toBe('OK');
    expect(await asked('KPROFILE', 'Memory', 'Status')).toBe('enabled');
    expect(await client.info('memory')).toContain('memory_profiling:1');
    await client.set('key', 'x'.repeat(100_000));
    const place = join(served.path, 'profiles');
    mkdirSync(place, { recursive: true });
    const path = String(await asked('KPROFILE', 'MEMORY', 'DUMP', place));
    expect(path).toMatch(/jeprof-.*\.heapprofile$/);
    expect(existsSync(path)).toBe(true);
    const summary = JSON.parse(readFileSync(path.replace(/heapprofile$/, 'json'), 'utf8')) as HeapSummary;
    expect(summary.owners['memtable']).toBeGreaterThan(100_000);
    expect(await asked('KPROFILE', 'MEMORY', 'DISABLE')).toBe('OK');
    expect(await asked('KPROFILE', 'MEMORY', 'STATUS')).toBe('disabled');
  });

  it('says what is wrong with a call', async () => {
    expect(await asked('KPROFILE', 'MEMORY')).toMatch(/wrong number of arguments/);
    expect(await asked('KPROFILE', 'MEMORY', 'DUMP')).toMatch(/wrong number of arguments/);
    expect(await asked('KPROFILE', 'MEMORY', 'ENABLE', '/tmp')).toMatch(/wrong number of arguments/);
    expect(await asked('KPROFILE', 'CPU', 'ENABLE')).toMatch(/unknown subcommand/);
    await asked('KPROFILE', 'MEMORY', 'ENABLE');
    expect(await asked('KPROFILE', 'MEMORY', 'DUMP', '/')).toMatch(/outside of/);
    await asked('KPROFILE', 'MEMORY', 'DISABLE');
  });

  it('has the figures of MEMORY and INFO agree on who owns what', async () => {
    await client.call('HSET', 'h', 'field', 'x'.repeat(1000));
    const small = Number(await asked('MEMORY', 'USAGE', 'h'));
    await client.call('HSET', 'h', 'other', 'y'.repeat(5000));
    expect(Number(await asked('MEMORY', 'USAGE', 'h')) - small).toBeGreaterThanOrEqual(5000);
    expect(await asked('MEMORY', 'USAGE', 'missing')).toBeNull();
    const stats = (await asked('MEMORY', 'STATS')) as (string | number)[];
    const memtable = stats[stats.indexOf('owner.memtable') + 1];
    expect(memtable).toBeGreaterThan(100_000);
    expect(await client.info('memory')).toContain(`used_memory_memtable:${memtable}`);
    expect(await asked('MEMORY', 'DOCTOR')).toBe('The memory of this server is in order.');
  });
});
