import { parseRedisUrl, TailraceError } from '../../kit/index.js';
import { RedisCalls, textOfReply } from '../redis-calls.js';
import {
  type DeadLetter,
  type DeadLetterTarget,
  parseLetter,
  type StoredLetter,
  storedLetter,
} from './dead-letters.js';

/**
 * Dead letters as entries of a Redis stream, each with one field `letter`; what is settled is deleted. A letter may
 * stand there twice when the connection was lost while it was added.
 */
export class RedisDeadLetters implements DeadLetterTarget {
  readonly #stream: string;
  readonly #redis: RedisCalls;

  /** @param stream key of the stream */
  constructor(url: string, stream: string) {
    this.#stream = stream;
    this.#redis = new RedisCalls(url, (reason, cause) => {
      const { host, port } = parseRedisUrl(url);
      return new TailraceError(
        'DEAD_LETTERS_FAILED',
        `the dead letters in ${host}:${port} cannot be used: ${reason}`,
        {
          context: { host, port, stream },
          remedy: 'Check that the Redis of the dead letters is up and takes writes.',
          cause,
        },
      );
    });
  }

  async add(letters: readonly DeadLetter[]): Promise<void> {
    for (const letter of letters)
      await this.#redis.call('XADD', this.#stream, '*', 'letter', JSON.stringify(storedLetter(letter)));
  }

  /** The ids are those of the entries. */
  async list(): Promise<readonly StoredLetter[]> {
    const letters: StoredLetter[] = [];
    for (let from = '-'; ; ) {
      const page = await this.#redis.call('XRANGE', this.#stream, from, '+', 'COUNT', pageEntries);
      if (!Array.isArray(page) || page.length === 0) return letters;
      for (const entry of page) {
        const [id, fields] = Array.isArray(entry) ? entry : [];
        const name = textOfReply(id);
        const letter = parseLetter(
          textOfReply(Array.isArray(fields) ? fields[1] : null),
          `${this.#stream} ${name}`,
        );
        if (!('settled' in letter)) letters.push({ ...letter, id: name });
        from = `(${name}`;
      }
    }
  }

  async settle(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#redis.call('XDEL', this.#stream, ...ids);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#redis[Symbol.asyncDispose]();
  }
}

const pageEntries = 100;
