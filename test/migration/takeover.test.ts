import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { RedisSink } from '../../sinks/redis/index.js';
import type { Claim } from '../../src/kit/index.js';
import { StateFile } from '../../src/migration/index.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { pluginContext } from '../support/plugin-context.js';
import { waitUntil } from '../support/wait-until.js';
import { fillStore, openMigration, positionKey } from './migration-setup.js';

describe('a migration that another process takes over', () => {
  let ends: MigrationEnds;
  beforeEach(async () => {
    ends = await MigrationEnds.open('takeover');
    return () => ends[Symbol.asyncDispose]();
  });

  it('goes on where the earlier one stood in the end, however far that came meanwhile', async () => {
    await fillStore(ends.sourceUrl, 600);
    const forEver = new AbortController().signal;
    const slow = { rates: { keysPerSecond: 150, bytesPerSecond: 0 }, end: { kind: 'never' } } as const;
    await using first = await openMigration(ends.sourceUrl, ends.redis.url, ends.directory, slow);
    const overtaken = first.migration.run(forEver).then(
      () => 'ended',
      (error: { code: string }) => error.code,
    );
    await waitUntil('the first has begun', () => first.migration.status.keys > 0);

    const sink = new LateClaim(ends.redis.url, async () => {
      const before = first.migration.status.keys;
      await waitUntil('the first has gone on', () => first.migration.status.keys > before + 80);
    });
    await using second = await openMigration(ends.sourceUrl, sink, ends.directory);
    await second.migration.run(forEver);

    expect(await overtaken).toBe('SINK_FENCED');
    expect(second.migration.status).toMatchObject({ phase: 'done', keys: 600 });
    expect(await ends.target.dbsize()).toBe(601); // and the position
  });

  it('saves nothing in the state file any more', async () => {
    const path = join(ends.directory, 'state.json');
    const state = { id: 1, source: 'a', target: 'b', steps: [step(1)] };
    const first = new StateFile(path);
    await first.begin(state);
    const second = new StateFile(path);
    expect(await second.takeOver(2)).toMatchObject({ ...state, id: 2 });
    const text = readFileSync(path, 'utf8');
    await expect(first.save({ ...state, steps: [step(1), step(2)] })).rejects.toThrow(
      `another process took over the migration of ${path}`,
    );
    expect(readFileSync(path, 'utf8')).toBe(text);
    await second.save({ ...state, id: 2, steps: [step(3)] });
    expect(first.load()?.steps).toEqual([step(3)]);
    rmSync(path);
    expect(() => second.requireOwned()).toThrow(`somebody removed ${path}`);
    await expect(second.takeOver(3)).rejects.toThrow(`${path} was removed while the migration began`);
  });

  it('ends soon although no write comes', async () => {
    await fillStore(ends.sourceUrl, 30);
    const following = ends.run('migrate', '--follow');
    await waitUntil('it has copied all', async () => (await ends.target.dbsize()) === 31);
    const cut = await ends.run('cutover', '--quiet-for', '100');
    expect(cut).toMatchObject({ status: 0 });
    const { status, stderr } = await following;
    expect(status).toBe(1);
    expect(stderr).toContain('(SINK_FENCED)');
  });
});

/** Does something right before it claims, as if the claim had taken so long. */
class LateClaim extends RedisSink {
  readonly #before: () => Promise<void>;

  constructor(url: string, before: () => Promise<void>) {
    super({ url, password: '', positionKey, namespaces: { default: '' } }, pluginContext('late'));
    this.#before = before;
  }

  override async claim(signal: AbortSignal): Promise<Claim> {
    await this.#before();
    return super.claim(signal);
  }
}

const step = (number: number) => ({
  place: undefined,
  isComplete: false,
  pending: [],
  leftOut: [],
  at: null,
  log: null,
  step: number,
  imageChanges: 0,
  keys: 0,
  bytes: 0,
});
