import { join } from 'node:path';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { RedisSink } from '../../sinks/redis/index.js';
import type { Sink } from '../../src/kit/index.js';
import {
  type KeyReader,
  Migration,
  type MigrationOptions,
  makeKeyReader,
  ServerConnection,
  StateFile,
} from '../../src/migration/index.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { randomCommands } from '../support/random-commands.js';
import type { SeededRandom } from '../support/seeded-random.js';

export const positionKey = 'tailrace:migrate:position';

export interface TestMigration extends AsyncDisposable {
  readonly migration: Migration;
  readonly keys: KeyReader;
}

/** A migration between two addresses, with small parts so that there are many. */
export const openMigration = async (
  from: string,
  to: string | Sink,
  directory: string,
  options: Partial<MigrationOptions> & { usesRecords?: boolean } = {},
): Promise<TestMigration> => {
  const context = pluginContext('migrate');
  const log = new KvrocksSource(
    { url: from, password: '', pollBatches: 1000, idlePollMs: 10, answerTimeoutMs: 30_000, giveUpAfterMs: 0 },
    context,
  );
  const connection = new ServerConnection(parseRedisUrl(from));
  const keys = await makeKeyReader(connection, new AbortController().signal, options);
  const sink =
    typeof to === 'string'
      ? new RedisSink({ url: to, password: '', positionKey, namespaces: { default: '' } }, context)
      : to;
  const migration = new Migration({
    source: from,
    target: 'target',
    log,
    keys,
    sink,
    stateFile: new StateFile(join(directory, 'migration.json')),
    namespaces: ['default'],
    end: { kind: 'quiet', quietMs: 100 },
    part: { maxKeys: 40, maxBytes: 64 * 1024 },
    logger: context.log,
    ...options,
  });
  return {
    migration,
    keys,
    [Symbol.asyncDispose]: async () => {
      await keys[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  };
};

/** Random commands of all types, one after the other, as fast as they are answered, until `isOver`. */
export const writeRandomly = async (
  url: string,
  random: SeededRandom,
  isOver: () => boolean,
): Promise<number> => {
  const connection = await RespConnection.open(parseRedisUrl(url));
  const next = randomCommands(random);
  let commands = 0;
  try {
    for (; !isOver(); commands++) await connection.call(...next());
  } finally {
    connection.close();
  }
  return commands;
};

/** Strings, hashes and lists that nobody writes to later, so that the walk has many parts. */
export const fillStore = async (url: string, count: number): Promise<void> => {
  const connection = await RespConnection.open(parseRedisUrl(url));
  try {
    await Promise.all(
      Array.from({ length: count }, (_, at) =>
        at % 3 === 0
          ? connection.call('SET', `fill:${at}`, 'x'.repeat(at % 200))
          : at % 3 === 1
            ? connection.call('HSET', `fill:${at}`, 'a', at, 'b', '')
            : connection.call('RPUSH', `fill:${at}`, 'a', at, 'a'),
      ),
    );
  } finally {
    connection.close();
  }
};
