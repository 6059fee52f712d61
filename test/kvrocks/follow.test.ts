import { describe, expect, it } from 'vitest';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { WalSource } from '../../connectors/wal/index.js';
import { RedisSink } from '../../sinks/redis/index.js';
import type { Source } from '../../src/kit/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { rocksDirectoryOf } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { kvrocksCommands } from '../support/kvrocks-commands.js';
import { pluginContext } from '../support/plugin-context.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { CopiedKvrocks } from './copied-kvrocks.js';

/** COMMANDS=1000000 is the long setting. */
const commandCount = Number(process.env['COMMANDS'] ?? 20_000);

const ends = new CopiedKvrocks();

const sources: readonly [string, () => Source][] = [
  [
    'by POLLUPDATES',
    () =>
      new KvrocksSource(
        {
          url: ends.kvrocks.url,
          password: '',
          pollBatches: 1000,
          idlePollMs: 20,
          answerTimeoutMs: 20_000,
          giveUpAfterMs: 0,
        },
        pluginContext('follow'),
      ),
  ],
  [
    'by its log files',
    () => new WalSource({ path: rocksDirectoryOf(ends.kvrocks), follow: true, pollMs: 20 }),
  ],
];

describe('a Redis that follows a Kvrocks', () => {
  it.each(sources)(
    '%s ends with the same data after random commands of all types',
    {
      timeout: 300_000 + commandCount * 2,
    },
    async (name, open) => {
      const random = SeededRandom.fromEnvironment(`follow a Kvrocks ${name}`);
      const next = kvrocksCommands(random);
      await ends.writer.call('FLUSHALL');
      await ends.copy.call('FLUSHALL');
      const options = {
        url: ends.target.url,
        password: '',
        positionKey: 'position',
        namespaces: { default: '' },
      };
      await using sink = new RedisSink(options, pluginContext('follow'));
      const stop = new AbortController();
      const pipeline = new Pipeline({
        name: 'follow',
        source: open(),
        sinks: [{ name: 'redis', sink }],
        log: pluginContext('follow').log,
      });
      let failure: unknown;
      const following = pipeline.run(stop.signal).catch((error: unknown) => {
        failure = error;
      });
      for (let done = 0; done < commandCount; done++) await ends.writer.call(...next());
      const sequence = Number(/^sequence:(\d+)/m.exec(String(await ends.writer.call('INFO')))?.[1]);
      await waitUntil('the follower has caught up', () => {
        if (failure !== undefined) throw failure;
        return (pipeline.status().sinks[0]?.position?.sequence ?? 0) >= sequence;
      });
      stop.abort();
      await following;
      const expected = await readDataState(ends.writer);
      expect(Object.keys(expected).length).toBeGreaterThan(5); // a FLUSHALL may have come late
      expect(await readDataState(ends.copy, (key) => key.startsWith('position'))).toEqual(expected);
    },
  );
});
