import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type RedisService, startRedis } from '../services/index.js';

/** A Redis for the tests around, empty at the beginning of each. */
export class TestRedis {
  #service: RedisService | undefined;
  #client: Redis | undefined;

  /** @param parameters of `redis-server`, beside its port and directory */
  constructor(parameters: readonly string[] = []) {
    beforeAll(async () => {
      this.#service = await startRedis(parameters);
      this.#client = new Redis(this.#service.port);
    });
    afterAll(async () => {
      this.#client?.disconnect();
      await this.#service?.stop();
    });
    beforeEach(() => this.client.flushall());
  }

  get client(): Redis {
    if (this.#client === undefined) throw new Error('it runs in tests only');
    return this.#client;
  }

  get service(): RedisService {
    if (this.#service === undefined) throw new Error('it runs in tests only');
    return this.#service;
  }

  get url(): string {
    return this.service.url;
  }

  get port(): number {
    return this.service.port;
  }
}
