import { type RedisCalls, textOfReply } from '../redis-calls.js';
import type { LeaseStore } from './lease.js';

/** Leases in a Redis: for each running pipeline a key NAME:lease:PIPELINE that expires, of its token and its holder. */
export class RedisLeases implements LeaseStore {
  readonly #redis: RedisCalls;
  readonly #name: string;

  constructor(redis: RedisCalls, name: string) {
    this.#redis = redis;
    this.#name = name;
  }

  async take(
    pipeline: string,
    token: string,
    holder: string,
    forMs: number,
  ): Promise<{ holder: string } | undefined> {
    const key = this.#keyOf(pipeline);
    const value = `${token} ${holder}`;
    if ((await this.#redis.call('SET', key, value, 'PX', Math.ceil(forMs), 'NX')) !== null) return undefined;
    const held = await this.#redis.call('GET', key);
    if (held === null) return { holder: 'a process that has just given it up' };
    const text = textOfReply(held);
    return text.startsWith(token) ? undefined : { holder: text.slice(text.indexOf(' ') + 1) };
  }

  async renew(pipeline: string, token: string, forMs: number): Promise<boolean> {
    return (
      (await this.#redis.call('EVAL', renewScript, 1, this.#keyOf(pipeline), token, Math.ceil(forMs))) === 1
    );
  }

  async drop(pipeline: string, token: string): Promise<void> {
    await this.#redis.call('EVAL', dropScript, 1, this.#keyOf(pipeline), token);
  }

  #keyOf(pipeline: string): string {
    return `${this.#name}:lease:${pipeline}`;
  }
}

const isMine = `local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, string.len(ARGV[1])) ~= ARGV[1] then return 0 end`;
const renewScript = `${isMine} redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1`;
const dropScript = `${isMine} redis.call('DEL', KEYS[1]) return 1`;
