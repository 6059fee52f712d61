import { afterAll, beforeAll } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { type KvrocksService, type RedisService, startKvrocks, startRedis } from '../services/index.js';

/** A Kvrocks for the tests around, the Redis that its data goes to, and a connection to each. */
export class CopiedKvrocks {
  #kvrocks: KvrocksService | undefined;
  #target: RedisService | undefined;
  #writer: RespConnection | undefined;
  #copy: RespConnection | undefined;

  constructor() {
    beforeAll(async () => {
      [this.#kvrocks, this.#target] = await Promise.all([startKvrocks(), startRedis()]);
      [this.#writer, this.#copy] = await Promise.all(
        [this.#kvrocks.url, this.#target.url].map((url) => RespConnection.open(parseRedisUrl(url))),
      );
    });
    afterAll(async () => {
      this.#writer?.close();
      this.#copy?.close();
      await Promise.all([this.#kvrocks?.stop(), this.#target?.stop()]);
    });
  }

  get kvrocks(): KvrocksService {
    return started(this.#kvrocks);
  }

  get target(): RedisService {
    return started(this.#target);
  }

  /** To the Kvrocks. */
  get writer(): RespConnection {
    return started(this.#writer);
  }

  /** To the Redis. */
  get copy(): RespConnection {
    return started(this.#copy);
  }
}

const started = <Part>(part: Part | undefined): Part => {
  if (part === undefined) throw new Error('it runs in tests only');
  return part;
};
