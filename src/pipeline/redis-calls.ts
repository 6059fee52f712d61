import {
  messageOf,
  parseRedisUrl,
  type Reply,
  ReplyError,
  RespConnection,
  type TailraceError,
} from '../kit/index.js';

/**
 * Single commands to a Redis, on one connection that is opened when it is needed. A command that fails on a connection
 * that turns out to be lost is sent once more on a new one: only for commands that may be repeated.
 */
export class RedisCalls implements AsyncDisposable {
  readonly #url: string;
  readonly #failed: (reason: string, cause?: unknown) => TailraceError;
  #connection: Promise<RespConnection> | undefined;
  readonly #disposed = new AbortController();

  /** @param failed makes the error of what is told here: `reason` names what went wrong */
  constructor(url: string, failed: (reason: string, cause?: unknown) => TailraceError) {
    this.#url = url;
    this.#failed = failed;
  }

  async call(...words: [string, ...(string | number)[]]): Promise<Reply> {
    for (let failures = 0; ; failures++) {
      this.#connection ??= RespConnection.open(parseRedisUrl(this.#url), {
        signal: this.#disposed.signal,
        answerTimeoutMs,
      });
      const opened = this.#connection;
      let reply: Reply;
      try {
        reply = await (await opened).call(...words);
      } catch (cause) {
        if (this.#connection === opened) this.#connection = undefined;
        if (failures === 0 && !this.#disposed.signal.aborted) continue; // whoever is disposed opens nothing that stays open
        throw this.#failed(messageOf(cause), cause);
      }
      if (reply instanceof ReplyError) throw this.#failed(reply.message);
      return reply;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    const connection = this.#connection;
    this.#connection = undefined;
    (await connection?.catch(() => undefined))?.close();
  }
}

/** A few words on an idle connection: whoever takes longer stands still. */
const answerTimeoutMs = 10_000;

export const textOfReply = (reply: Reply): string =>
  Buffer.isBuffer(reply) ? reply.toString() : String(reply);
