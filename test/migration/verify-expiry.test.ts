import { expect, it } from 'vitest';
import { makeKeyReader, ServerConnection, ServerNames } from '../../src/migration/index.js';
import { TargetKeys, Verification } from '../../src/migration/verify/index.js';
import { parseRedisUrl } from '../../src/resp/index.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { pluginContext } from '../support/plugin-context.js';

const { signal } = new AbortController();

it('an extra key is found although one that was compared has expired by the time when they are counted', async () => {
  await using ends = await MigrationEnds.open('verify-expiry');
  const { source, target } = ends;
  for (const client of [source, target]) await client.mset('lasting', 'x', 'expiring', 'y');
  await target.set('extra', 'z');
  const connection = new ServerConnection(parseRedisUrl(ends.sourceUrl));
  const compared = new ServerConnection(parseRedisUrl(ends.redis.url));
  await using keys = await makeKeyReader(connection, signal);
  class ExpiringTarget extends TargetKeys {
    override async readStrings(...asked: Parameters<TargetKeys['readStrings']>) {
      const found = await super.readStrings(...asked);
      await target.del('expiring'); // as an expiry does
      return found;
    }
  }
  const nodes = { nodes: [compared], nodeOf: () => 0 };
  const verification = new Verification({
    ...{
      keys,
      names: new ServerNames(connection),
      target: new ExpiringTarget(nodes, { default: '' }, 'own'),
    },
    ...{ namespaces: ['default'], ttlToleranceMs: 1_000, sample: 0, settleMs: 20, repairs: false },
    logger: pluginContext('verify').log,
  });
  await verification.run(signal);
  expect(verification.differences.map(({ kind, key }) => `${kind} ${key}`)).toEqual(['extra extra']);
  compared.close();
  connection.close();
});
