import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { tagOfSlot } from '../../sinks/redis/cluster/slot-tag.js';
import { RedisClusterSink, type RedisClusterSinkOptions } from '../../sinks/redis/index.js';
import { slotOf } from '../../src/kit/index.js';
import { type RedisClusterService, startRedisCluster } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { TestSource } from '../support/test-source.js';

/** The key of the position, and those of each slot that was written in. */
export const root = 'tailrace:orders:position';
export const slotKey = (slot: number): string => `${root}:{${tagOfSlot(slot)}}`;

/** A Redis Cluster for all the tests around, empty before each, with a source whose changes sinks write there. */
export class ClusterStage {
  readonly source = new TestSource();
  nodes: readonly Redis[] = [];
  #service: RedisClusterService | undefined;

  constructor() {
    beforeAll(async () => {
      this.#service = await startRedisCluster();
      this.nodes = this.ports.map((port) => new Redis(port));
    });
    afterAll(async () => {
      for (const node of this.nodes) node.disconnect();
      await this.#service?.stop();
    });
    beforeEach(async () => {
      for (const node of this.nodes) await node.flushall();
    });
  }

  get ports(): readonly number[] {
    return this.#service?.ports ?? [];
  }

  readonly open = (options: Partial<RedisClusterSinkOptions> = {}): RedisClusterSink =>
    this.source.own(
      new RedisClusterSink(
        {
          urls: [`redis://127.0.0.1:${this.ports[0]}`],
          password: '',
          positionKey: 'tailrace:{pipeline}:position',
          namespaces: { default: '' },
          ...options,
        },
        pluginContext(),
      ),
    );

  /** The master that has a slot. */
  readonly masterOf = async (slot: number): Promise<Redis> => {
    for (const [first, last, [, port]] of (await this.nodes[0].call('CLUSTER', 'SLOTS')) as [
      number,
      number,
      [string, number],
    ][])
      if (slot >= first && slot <= last) return this.nodes[this.ports.indexOf(port)];
    throw new Error(`nobody has slot ${slot}`);
  };

  /** The master that has the slot of a key. */
  readonly find = (key: string): Promise<Redis> => this.masterOf(slotOf(Buffer.from(key)));
}
