import { type Position, parseRedisUrl, TailraceError } from '../../kit/index.js';
import { RedisCalls, textOfReply } from '../redis-calls.js';
import { type Lease, takeLease } from './lease.js';
import type { OffsetsStore, StoredOffset } from './offsets-store.js';
import { RedisLeases } from './redis-leases.js';

/** Where positions are kept in a Redis. */
export interface RedisOffsetsOptions {
  /** redis://[user:password@]host:port[/database], or rediss:// */
  readonly url: string;
  /** What the keys start with. */
  readonly name: string;
  readonly leaseMs: number;
}

/**
 * Positions in a Redis or Kvrocks: a hash NAME with a field for each sink of each pipeline, and for each running
 * pipeline a key NAME:lease:PIPELINE that expires. The Redis must keep what it is told (`appendonly yes`), or positions
 * go back with it, and changes are delivered again.
 */
export class RedisOffsetsStore implements OffsetsStore {
  readonly #options: RedisOffsetsOptions;
  readonly #redis: RedisCalls;
  readonly #leases: RedisLeases;

  constructor(options: RedisOffsetsOptions) {
    this.#options = options;
    this.#redis = new RedisCalls(options.url, (reason, cause) => this.#failed(reason, cause));
    this.#leases = new RedisLeases(this.#redis, options.name);
  }

  async load(pipeline: string, sink: string): Promise<Position | null> {
    const reply = await this.#redis.call('HGET', this.#options.name, fieldOf(pipeline, sink));
    return reply === null ? null : this.#parse(textOfReply(reply)).position;
  }

  async save(pipeline: string, sink: string, position: Position): Promise<void> {
    const stored: StoredOffset = { pipeline, sink, position, storedAtMs: Date.now() };
    await this.#redis.call('HSET', this.#options.name, fieldOf(pipeline, sink), JSON.stringify(stored));
  }

  async list(pipeline?: string): Promise<readonly StoredOffset[]> {
    const reply = await this.#redis.call('HVALS', this.#options.name);
    const all = Array.isArray(reply) ? reply.map((value) => this.#parse(textOfReply(value))) : [];
    return all
      .filter((offset) => pipeline === undefined || offset.pipeline === pipeline)
      .sort((a, b) => (fieldOf(a.pipeline, a.sink) < fieldOf(b.pipeline, b.sink) ? -1 : 1));
  }

  async reset(pipeline: string, sink?: string): Promise<boolean> {
    const doomed = (await this.list(pipeline)).filter((offset) => sink === undefined || offset.sink === sink);
    if (doomed.length === 0) return false;
    await this.#redis.call(
      'HDEL',
      this.#options.name,
      ...doomed.map((offset) => fieldOf(pipeline, offset.sink)),
    );
    return true;
  }

  own(pipeline: string, signal: AbortSignal): Promise<Lease> {
    return takeLease(this.#leases, pipeline, this.#options.leaseMs, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#redis[Symbol.asyncDispose]();
  }

  #parse(text: string): StoredOffset {
    try {
      return JSON.parse(text) as StoredOffset;
    } catch (cause) {
      throw this.#failed(`what ${this.#options.name} holds is no position`, cause);
    }
  }

  #failed(reason: string, cause?: unknown): TailraceError {
    const { host, port } = parseRedisUrl(this.#options.url);
    return new TailraceError('OFFSETS_FAILED', `the positions in ${host}:${port} cannot be used: ${reason}`, {
      context: { host, port },
      remedy: 'Check that the Redis of the positions is up and takes writes.',
      cause,
    });
  }
}

const fieldOf = (pipeline: string, sink: string): string => `${pipeline}/${sink}`;
