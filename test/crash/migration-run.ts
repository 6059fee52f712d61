import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { acceptsConnections, freePort, throwAwayDirectory } from '../services/daemon.js';
import { readDataState } from '../support/data-state.js';
import { type RandomCommand, randomCommands } from '../support/random-commands.js';
import type { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { TailraceProcess } from './tailrace-process.js';

/** A server that is migrated from, and killed now and then. */
export interface MigratedSource {
  readonly url: string;
  /** How its keys are read; no command of a Kvrocks reads HyperLogLogs, which are left out then. */
  readonly way: 'records' | 'commands';
  /** What is written to it. */
  commands(random: SeededRandom): () => RandomCommand;
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

export interface MigrationTally {
  readonly migratorKills: number;
  readonly sourceKills: number;
  /** Commands that the source acknowledged meanwhile. */
  readonly commands: number;
  readonly keys: number;
}

/** `tailrace serve` with a directory of its own. */
export const startServe = async (way: MigratedSource['way'] = 'records'): Promise<MigratedSource> => {
  const { path, remove } = throwAwayDirectory('crash-migration-source');
  const port = await freePort();
  const serve = new TailraceProcess(['serve', '-d', join(path, 'store'), '-l', `127.0.0.1:${port}`], path);
  serve.start();
  await waitUntil('the source serves', () => acceptsConnections(port));
  return {
    url: `redis://127.0.0.1:${port}`,
    way,
    commands: randomCommands,
    killAndRestart: () => serve.killAndRestart(),
    stop: async () => {
      await serve.kill();
      remove();
    },
  };
};

/**
 * Migrates a store that random writers never leave alone, killing the migrator again and again and the source now and then,
 * in the snapshot and behind it; then cuts over, with the writers at work until the source has been asked to be quiet. Ends
 * with every key of both sides read by ordinary commands and compared here.
 *
 * @param source empty
 * @param ports of the target: one Redis, or the masters of a cluster
 * @throws Error that names what differs
 */
export const crashMigration = async (
  source: MigratedSource,
  ports: readonly number[],
  kills: number,
  random: SeededRandom,
): Promise<MigrationTally> => {
  const directory = throwAwayDirectory('crash-migration');
  const { url, way } = source;
  const reading = way === 'records' ? [] : ['--no-records', '--skip-unsupported'];
  const ends = ['--from', url, '--to', `redis://127.0.0.1:${ports[0]}`, ...reading];
  // Slow enough that most kills hit the snapshot.
  const migrator = new TailraceProcess(
    ['migrate', ...ends, '--follow', '--max-keys-per-second', String(Math.ceil(fillKeys / (0.3 * kills)))],
    directory.path,
  );
  let isOver = false;
  let sourceKills = 0;
  try {
    await fill(url);
    const written = { commands: 0 };
    const writers = [random.fork(), random.fork()].map((fork) =>
      write(url, source.commands(fork), () => isOver, written),
    );
    migrator.start();
    for (let kill = 0; kill < kills; kill++) {
      const before = written.commands;
      await begun(migrator);
      await delay(random.below(400));
      await waitUntil('writes are acknowledged meanwhile', () => written.commands >= before + 30);
      if (migrator.failure !== undefined) throw new Error(migrator.failure);
      await migrator.killAndRestart();
      if (random.below(5) === 0) {
        // One that has only just been started does not wait long for a source that is not there.
        await begun(migrator);
        sourceKills++;
        await source.killAndRestart();
      }
    }
    await begun(migrator);
    const cutover = new TailraceProcess(['cutover', ...ends, '--quiet-for', '700'], directory.path);
    cutover.start();
    // It takes over from the migrator while writes go on; they end when the migrator has noticed.
    await migrator.ended();
    isOver = true;
    await Promise.all(writers);
    const { commands } = written;
    const said = await cutover.ended();
    if (cutover.exitCode !== 0)
      throw new Error(`cutover ended with ${cutover.exitCode}:\n${said}${cutover.told}`);
    const keys = await requireSame(url, ports, (key) => way === 'commands' && key.startsWith('hll'));
    return { migratorKills: migrator.kills, sourceKills, commands, keys };
  } finally {
    isOver = true;
    await migrator.kill();
    directory.remove();
  }
};

const begun = (migrator: TailraceProcess): Promise<void> =>
  waitUntil('the migrator has begun', () => {
    if (migrator.failure !== undefined) throw new Error(migrator.failure);
    return migrator.said.includes('migration ');
  });

const fillKeys = 3_000;

const fill = async (url: string): Promise<void> => {
  const connection = await RespConnection.open(parseRedisUrl(url));
  const commands: RandomCommand[] = Array.from({ length: fillKeys }, (_, at) =>
    at % 3 === 0
      ? ['SET', `fill:${at}`, 'x'.repeat(at % 200)]
      : at % 3 === 1
        ? ['HSET', `fill:${at}`, 'a', `${at}`, 'b', '']
        : ['RPUSH', `fill:${at}`, 'a', `${at}`, 'a'],
  );
  await Promise.all(commands.map((words) => connection.call(...words)));
  connection.close();
};

/** Random commands, one after the other; a lost connection is opened again. */
const write = async (
  url: string,
  next: () => RandomCommand,
  isOver: () => boolean,
  written: { commands: number },
): Promise<void> => {
  let flushes = 0;
  while (!isOver()) {
    let connection: RespConnection | undefined;
    try {
      connection = await RespConnection.open(parseRedisUrl(url));
      while (!isOver()) {
        const command = next();
        // Seldom: a store that is always empty shows nothing.
        if (command[0] === 'FLUSHDB' && ++flushes % 20 > 0) continue;
        await connection.call(...command);
        written.commands++;
      }
    } catch {
      await delay(20);
    } finally {
      connection?.close();
    }
  }
};

const requireSame = async (
  url: string,
  ports: readonly number[],
  isLeftOut: (key: string) => boolean,
): Promise<number> => {
  const source = await RespConnection.open(parseRedisUrl(url));
  const expected = await readDataState(source, isLeftOut);
  source.close();
  const found: Record<string, unknown> = {};
  const isOurs = (key: string): boolean => key.startsWith('tailrace:migrate:position') || isLeftOut(key);
  for (const port of ports) {
    const target = await RespConnection.open({ host: '127.0.0.1', port });
    Object.assign(found, await readDataState(target, isOurs));
    target.close();
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(found)]);
  for (const name of names)
    if (!isDeepStrictEqual(expected[name], found[name]))
      throw new Error(
        `${JSON.stringify(name)} is ${JSON.stringify(found[name])} and should be ${JSON.stringify(expected[name])}`,
      );
  return names.size;
};
