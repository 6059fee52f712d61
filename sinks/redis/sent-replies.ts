import type { ByteWriter, Reply, RespConnection } from '../../src/kit/index.js';

/** Sends what was encoded so far while the rest is being encoded, and collects the replies of all parts. */
export class SentReplies {
  expected = 0;
  readonly #connection: RespConnection;
  readonly #out: ByteWriter;
  readonly #parts: Promise<Reply[]>[] = [];
  #sentBytes = 0;
  #sentReplies = 0;

  constructor(connection: RespConnection, out: ByteWriter) {
    this.#connection = connection;
    this.#out = out;
  }

  expect(replies: number): void {
    this.expected += replies;
  }

  sendLargeParts(): void {
    if (this.#out.length - this.#sentBytes >= partBytes) this.#send();
  }

  sendAll(): void {
    if (this.#out.length > this.#sentBytes) this.#send();
  }

  async replies(): Promise<Reply[]> {
    this.#send();
    const [first = [], ...others] = await Promise.all(this.#parts);
    for (const part of others) for (const reply of part) first.push(reply);
    return first;
  }

  #send(): void {
    // Borrowed until the replies are there: the writer appends behind it, or moves on to larger memory.
    const part = this.#out.bytes.subarray(this.#sentBytes);
    const replies = this.#connection.send(part, this.expected - this.#sentReplies);
    replies.catch(() => undefined); // when encoding the rest fails, nobody waits for it
    this.#parts.push(replies);
    this.#sentBytes = this.#out.length;
    this.#sentReplies = this.expected;
  }
}

const partBytes = 128 * 1024;
