import { type Logger, type Position, ReplyError } from '../../src/kit/index.js';
import type { PolledServer } from './polled-server.js';

/**
 * The slot for which a tailrace keeps its log. Without a name, and at a Kvrocks, which keeps its log by size and age and not by
 * consumers, it does nothing.
 */
export class LogSlot {
  readonly #name: string | undefined;
  readonly #log: Logger;
  /** What every sink has, as far as is known. */
  #acknowledged = 0;
  /** Where the slot was made. Once for each connection: another server may have taken the place of the last. */
  #madeAt: PolledServer | undefined;
  #hasTold = false;

  constructor(name: string | undefined, log: Logger) {
    this.#name = name;
    this.#log = log;
  }

  /** From now on the log is kept behind `position`. */
  async hold(position: Position | null, server: PolledServer, signal: AbortSignal): Promise<void> {
    this.#acknowledged = position?.sequence ?? 0;
    this.#madeAt = undefined;
    await this.make(server, signal);
  }

  /** Makes it at a server where that has not been done yet. */
  async make(server: PolledServer, signal: AbortSignal): Promise<void> {
    if (this.#name === undefined || !server.isTailrace || this.#madeAt === server) return;
    this.#madeAt = server;
    const reply = await server.ask(signal, 'SLOT', 'CREATE', this.#name, this.#acknowledged);
    if (reply instanceof ReplyError) this.#tellOnce(server, reply.message);
  }

  async drop(server: PolledServer, signal: AbortSignal): Promise<void> {
    if (this.#name !== undefined && server.isTailrace) await server.ask(signal, 'SLOT', 'DROP', this.#name);
  }

  /** What lies before `sequence` may go. Not waited for: a poll may be under way, behind which it is answered. */
  acknowledge(sequence: number): void {
    this.#acknowledged = sequence;
    const server = this.#madeAt;
    if (this.#name === undefined || server === undefined) return;
    server.call('SLOT', 'ACK', this.#name, sequence).then(
      (reply) => {
        if (reply instanceof ReplyError) this.#tellOnce(server, reply.message);
      },
      () => undefined, // the connection is lost, which the next poll finds out
    );
  }

  /** The connection is over. */
  release(): void {
    this.#madeAt = undefined;
  }

  #tellOnce({ place }: PolledServer, reason: string): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    this.#log.warn('the source does not keep its log for this pipeline', {
      source: place,
      slot: this.#name ?? '',
      reason,
    });
  }
}
