import { setTimeout as delay } from 'node:timers/promises';
import { ByteWriter, ReplyError, RespConnection, writeCommand } from '../../src/resp/index.js';
import type { SeededRandom } from '../support/seeded-random.js';

/**
 * Writes without end to a server that is killed now and then, and remembers what was acknowledged: each key of
 * `acknowledged` must in the end hold its number or a later one, since only ever larger numbers are written to it.
 */
export class LoadWriter {
  /** Key → the largest number whose write was acknowledged. */
  readonly acknowledged = new Map<string, number>();
  commands = 0;
  readonly #port: number;
  readonly #random: SeededRandom;
  #isStopped = false;
  #counter = 0;
  #running: Promise<void> | undefined;

  constructor(port: number, random: SeededRandom) {
    this.#port = port;
    this.#random = random;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let connection: RespConnection | undefined;
    while (!this.#isStopped) {
      try {
        connection ??= await RespConnection.open({ host: '127.0.0.1', port: this.#port });
        await this.#writeSome(connection);
      } catch {
        // Killed: what was not acknowledged may or may not be there.
        connection?.close();
        connection = undefined;
        await delay(5);
      }
    }
    connection?.close();
  }

  async #writeSome(connection: RespConnection): Promise<void> {
    const out = new ByteWriter();
    const promised = new Map<string, number>();
    const count = 1 + this.#random.below(30);
    const isTransaction = this.#random.below(4) === 0;
    if (isTransaction) writeCommand(out, ['MULTI']);
    for (let i = 0; i < count; i++) writeCommand(out, this.#command(promised));
    if (isTransaction) writeCommand(out, ['EXEC']);
    const replies = await connection.send(out.take(), isTransaction ? count + 2 : count);
    const error = replies.flat().find((reply) => reply instanceof ReplyError);
    if (error !== undefined) throw error;
    this.commands += count;
    for (const [key, value] of promised) this.acknowledged.set(key, value);
  }

  #command(promised: Map<string, number>): (string | number)[] {
    const id = this.#random.below(60);
    switch (this.#random.below(11)) {
      case 0:
      case 1: {
        promised.set(`n:${id}`, ++this.#counter);
        return ['SET', `n:${id}`, this.#counter];
      }
      case 2:
        return ['HSET', `h:${id}`, `f${this.#random.below(20)}`, this.#random.below(1e6), 'common', id];
      case 3:
        return ['HDEL', `h:${id}`, `f${this.#random.below(20)}`, 'common'];
      case 4:
        // Deltas: applied twice or not at all, a list or a counter shows it.
        return ['RPUSH', `l:${id % 8}`, this.#random.below(1e6), id];
      case 5:
        return this.#random.next() < 0.8 ? ['LPOP', `l:${id % 8}`] : ['LPUSH', `l:${id % 8}`, `head-${id}`];
      case 6:
        return ['INCR', `c:${id}`];
      case 7:
        return this.#random.next() < 0.5
          ? ['SET', `t:${id}`, id, 'EX', 10_000 + id]
          : ['ZADD', `z:${id % 5}`, this.#random.next(), `m${id}`];
      case 8:
        return this.#random.next() < 0.7
          ? ['SADD', `s:${id % 6}`, this.#random.below(50), id]
          : ['SREM', `s:${id % 6}`, this.#random.below(50), id];
      case 9:
        return this.#random.next() < 0.8
          ? ['XADD', `x:${id % 3}`, 'MAXLEN', 40, '*', 'counter', ++this.#counter, 'id', id]
          : ['EXPIRE', this.#random.pick([`h:${id}`, `l:${id % 8}`, `s:${id % 6}`]), 5_000 + id];
      default:
        return ['DEL', this.#random.pick([`h:${id}`, `c:${id}`, `t:${id}`, `l:${id % 8}`, `z:${id % 5}`])];
    }
  }
}
