import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { waitUntil } from '../support/wait-until.js';

let ends: MigrationEnds;
let source: Redis;
let target: Redis;
beforeAll(async () => {
  ends = await MigrationEnds.open('run-snapshot');
  ({ source, target } = ends);
  for (let at = 0; at < 200; at++) await source.hset(`h:${at}`, 'f', `${at}`);
  await source.rpush('list', 'a', 'b');
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

const open = (name: string, snapshot: string): TailraceProcess => {
  const file = join(ends.directory, `${name}.yaml`);
  writeFileSync(
    file,
    `name: ${name}
source: { connector: kvrocks, url: "${ends.sourceUrl}", snapshot: ${snapshot} }
sinks:
  - { sink: redis, url: "${ends.redis.url}" }
`,
  );
  return new TailraceProcess(['run', file], ends.directory);
};

describe('a pipeline with a snapshot', () => {
  it('gives its sink all keys first, and goes on with the log', async () => {
    const run = open('initial', 'initial');
    run.start();
    await waitUntil('the keys are there', async () => (await target.dbsize()) === 202);
    await source.rpush('list', 'c');
    await waitUntil('the change is there', async () => (await target.llen('list')) === 3);
    expect(await run.stop()).toBe(0);
    expect(run.said).toContain('snapshot done');

    // The next start finds the position, and takes no other.
    run.start();
    await source.rpush('list', 'd');
    await waitUntil('the next change is there', async () => (await target.llen('list')) === 4);
    expect(await run.stop()).toBe(0);
    expect(run.said).not.toContain('snapshot done');
    expect(await target.lrange('list', 0, -1)).toEqual(await source.lrange('list', 0, -1));
  });

  it('takes a new one when the source has another history, and keys that are gone disappear', async () => {
    await target.hset('tailrace:when:position', { epoch: 7, sequence: 50, count: 1, crc: 12345 });
    await target.set('gone at the source', 'x');
    const run = open('when', 'when-needed');
    run.start();
    await waitUntil('the keys are there', async () => (await target.dbsize()) === 202);
    expect(await target.exists('gone at the source')).toBe(0);
    await source.hset('h:1', 'g', 'later');
    await waitUntil('the change is there', async () => (await target.hget('h:1', 'g')) === 'later');
    expect(await run.stop()).toBe(0);
    expect(run.said).toContain('taking a new snapshot');
  });

  it('ends by itself when it is only a snapshot', async () => {
    const run = open('only', 'only');
    run.start();
    await run.ended();
    expect(run.exitCode, run.said).toBe(0);
    expect(await target.dbsize()).toBe(202);
  });
});
