import { RedisSink } from '../../../sinks/redis/index.js';
import { type Logger, parseRedisUrl } from '../../kit/index.js';
import { ServerConnection } from '../../migration/index.js';
import { scanKeys } from '../scan-keys.js';

/** A Redis that is written to for a while: every key starts with one prefix, and goes before and behind. */
export class RedisTarget implements AsyncDisposable {
  readonly #connection: ServerConnection;
  readonly #url: string;
  readonly #password: string;
  readonly #log: Logger;
  #isWritten = false;

  constructor(url: string, password: string, log: Logger) {
    this.#url = url;
    this.#password = password;
    this.#log = log;
    this.#connection = new ServerConnection(parseRedisUrl(url, password));
  }

  get place(): string {
    return this.#connection.place;
  }

  makeSink(): RedisSink {
    this.#isWritten = true;
    const options = { url: this.#url, password: this.#password, namespaces: { default: prefix } };
    return new RedisSink(
      { ...options, positionKey: `${prefix}position` },
      {
        pipeline: 'bench',
        log: this.#log,
      },
    );
  }

  /** Removes what this run, or one that was killed, has left. */
  async clear(signal: AbortSignal): Promise<void> {
    for await (const keys of scanKeys(this.#connection, signal, `${prefix}*`))
      if (keys.length > 0) await this.#connection.call(signal, 'UNLINK', ...keys);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#isWritten) await this.clear(AbortSignal.timeout(clearMs));
    } catch (error) {
      this.#log.error('keys of the measurement are left in the target', { prefix, reason: String(error) });
    } finally {
      this.#connection.close();
    }
  }
}

const prefix = 'tailrace-bench:';
const clearMs = 30_000;
