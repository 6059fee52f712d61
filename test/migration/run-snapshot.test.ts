import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, type Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { startRedisCluster } from '../services/index.js';
import { HttpReceiver } from '../support/http-receiver.js';
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

const open = (
  name: string,
  snapshot: string,
  sink = `{ sink: redis, url: "${ends.redis.url}" }`,
  errors = '{}',
): TailraceProcess => {
  const file = join(ends.directory, `${name}.yaml`);
  writeFileSync(
    file,
    `name: ${name}
source: { connector: kvrocks, url: "${ends.sourceUrl}", snapshot: ${snapshot} }
errors: ${errors}
deadLetters: { path: ${name}.letters }
sinks:
  - ${sink}
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
    expect(run.said).toMatch(/snapshot started[\s\S]*snapshot done/);

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

  it('waits for a sink that is not there yet', async () => {
    await ends.redis.kill();
    const run = open('waiting', 'only');
    run.start();
    await waitUntil('it has tried', () => run.said.includes('cannot be reached, trying again'));
    await ends.redis.restart();
    await run.ended();
    expect(run.exitCode, run.said).toBe(0);
    expect(await target.dbsize()).toBe(202);
  });

  it('ends by itself when it is only a snapshot', async () => {
    const run = open('only', 'only');
    run.start();
    expect(await run.ended()).toMatch(/pipeline stopped .* snapshotKeys=201 .* position=[1-9]/);
    expect(run.exitCode, run.said).toBe(0);
    expect(await target.dbsize()).toBe(202);

    run.start();
    expect(await run.ended()).toMatch(/pipeline stopped .* delivered=0 .* position=[1-9]/);
    expect(run.said).not.toContain('snapshotKeys');
  });

  it('treats what its sink refuses as errors.poison says, also in the snapshot', async () => {
    await source.set('big', 'x'.repeat(1_200_000));
    await target.config('SET', 'proto-max-bulk-len', 1_048_576);
    const failing = open('poison-fail', 'only', undefined, '{ undecodable: skip }');
    failing.start();
    expect(await failing.ended()).toMatch(/refuses the put string of key "big"[\s\S]*errors\.poison/);
    expect(failing.exitCode).toBe(1);

    const run = open('poison-letters', 'only', undefined, '{ poison: dead-letter }');
    run.start();
    expect(await run.ended()).toContain('changes sent to the dead letters');
    expect(run.exitCode, run.said).toBe(0);
    expect(await target.exists('big')).toBe(0);
    await target.config('SET', 'proto-max-bulk-len', 512 * 1024 * 1024);
    const replay = new TailraceProcess(['dead-letters', 'replay', 'poison-letters.yaml'], ends.directory);
    replay.start();
    await replay.ended();
    expect(replay.exitCode, replay.said).toBe(0);
    expect(await target.strlen('big')).toBe(1_200_000);
    await source.del('big');
  });

  it('fills a Redis Cluster, and empties it of what is gone when it takes a new one', async () => {
    const cluster = await startRedisCluster();
    const client = new Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })));
    const keys = async (): Promise<string[]> =>
      (await Promise.all(client.nodes('master').map((node) => node.keys('*'))))
        .flat()
        .filter((key) => !key.startsWith('tailrace:'));
    const sink = `{ sink: redis, url: "redis://127.0.0.1:${cluster.ports[0]}", cluster: true }`;
    const run = open('cluster', 'when-needed', sink);
    run.start();
    await waitUntil('the keys are there', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return (await keys()).length === 201 && run.said.includes('snapshot done');
    });
    expect(await run.stop()).toBe(0);
    await client.set('gone at the source', 'x');
    for (const node of client.nodes('master'))
      for (const key of await node.keys('tailrace:*')) await node.hset(key, 'crc', 1);
    run.start();
    await waitUntil('what is gone has gone', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return run.said.includes('snapshot done') && !(await keys()).includes('gone at the source');
    });
    expect(await run.stop()).toBe(0);
    expect((await keys()).length).toBe(201);
    client.disconnect();
    await cluster.stop();
  });

  it('gives another store the records as they are, and those of a new one in place of all that it held', async () => {
    const other = await MigrationEnds.open('run-snapshot-other');
    await ends.source.call('JSON.SET', 'json', '$', '{"a":1}');
    const run = open('store', 'when-needed', `{ sink: kvrocks, url: "${other.sourceUrl}" }`);
    run.start();
    await waitUntil('the keys are there', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return (await other.source.dbsize()) === 203;
    });
    await ends.source.hset('h:1', 'more', 'x');
    await waitUntil('the change is there', async () => (await other.source.hget('h:1', 'more')) === 'x');
    expect(await run.stop()).toBe(0);
    expect(await other.source.type('json')).toBe('ReJSON-RL');

    // It has another history, and elements that the source never had.
    await other.source.hset('h:1', 'foreign', 'x');
    await other.source.set('gone at the source', 'x');
    const held = String(await other.source.get('tailrace:store:position')).split(' ');
    await other.source.set('tailrace:store:position', [...held.slice(0, -1), '12345'].join(' '));
    run.start();
    await waitUntil('what is gone has gone', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return (await other.source.exists('gone at the source')) === 0;
    });
    await ends.source.hset('h:1', 'last', 'x');
    await waitUntil('the change is there', async () => (await other.source.hget('h:1', 'last')) === 'x');
    expect(await run.stop()).toBe(0);
    expect(await other.source.hgetall('h:1')).toEqual(await ends.source.hgetall('h:1'));
    expect(await other.source.dbsize()).toBe(203);
    await ends.source.del('json');
    await ends.source.hdel('h:1', 'more', 'last');
    await other[Symbol.asyncDispose]();
  });

  it('calls a webhook with every key first, and then with changes', async () => {
    await using receiver = await HttpReceiver.open();
    // More keys than one step of a snapshot holds.
    for (let at = 0; at < 20_000; at += 1_000) {
      const keys = Array.from({ length: 1_000 }, (_, i) => [`more:${at + i}`, 'x'.repeat(100)]);
      await ends.source.mset(...keys.flat());
    }
    const run = open('hook', 'initial', `{ sink: webhook, url: "${receiver.url}" }`);
    run.start();
    const told = (): Set<string> =>
      new Set(receiver.requests.flatMap(({ body }) => String(body).match(/"key":"[^"]*"/g) ?? []));
    await waitUntil('the keys are told', () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return told().size === 20_201;
    });
    await ends.source.set('later', 'x');
    await waitUntil('the change is told', () => told().has('"key":"later"'));
    expect(await run.stop()).toBe(0);
    await ends.source.del('later', ...Array.from({ length: 20_000 }, (_, at) => `more:${at}`));
  });

  it('reads the keys of the checkpoint that is named, and then what was written since', async () => {
    await ends.source.set('gone since', 'x');
    await ends.source.call('CHECKPOINT', 'CREATE', 'NAME', 'nightly', 'HOLDLOG');
    await ends.source.del('gone since');
    await using receiver = await HttpReceiver.open();
    const sink = `{ sink: webhook, url: "${receiver.url}" }`;
    const run = open('nightly', 'only, snapshotCheckpoint: nightly', sink);
    run.start();
    await run.ended();
    expect(run.exitCode, run.said).toBe(0);
    expect(run.said).toContain('reading a checkpoint checkpoint=nightly');
    const events = receiver.requests.map(({ body }) => String(body)).join('\n');
    const told = events.match(/"op":"[a-z]+","type":"[a-z]+","key":"gone since"/g) ?? [];
    expect(told.some((event) => event.includes('"op":"put"'))).toBe(true);
    expect(told.at(-1)).toContain('"op":"delete"');
    expect(String(await ends.source.call('CHECKPOINT', 'LIST'))).toContain('nightly');
    await ends.source.call('CHECKPOINT', 'DELETE', 'nightly');
  });

  it('makes a checkpoint for itself when told to, and deletes it', async () => {
    const run = open('own', 'only, snapshotCheckpoint: "@new"');
    run.start();
    await run.ended();
    expect(run.exitCode, run.said).toBe(0);
    expect(run.said).toContain('deleted the checkpoint');
    expect(await target.dbsize()).toBe(202);
    expect(JSON.parse(String(await ends.source.call('CHECKPOINT', 'LIST')))).toEqual([]);
  });

  it('says that a checkpoint which it is to read is not there', async () => {
    const run = open('lost', 'only, snapshotCheckpoint: lost');
    run.start();
    await run.ended();
    expect(run.exitCode).toBe(1);
    expect(run.said).toContain('(CHECKPOINT_NOT_FOUND)');
    expect(await target.keys('h:*')).toEqual([]);
  });
});
