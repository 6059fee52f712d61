import type { Store } from '../engine/index.js';
import type { Outbox } from './outbox.js';

/**
 * The outboxes whose replies tell of what is not durable yet. They share one wait: what is written to the log together
 * is answered together, whoever sent it. Hot: bench `server`.
 */
export class Departures {
  readonly #store: Store;
  #waiting: Outbox[] = [];
  #isWaiting = false;

  constructor(store: Store) {
    this.#store = store;
  }

  get durableSequence(): number {
    return this.#store.durableSequence;
  }

  /** Lets an outbox depart when what its replies tell of is durable. */
  add(outbox: Outbox): void {
    this.#waiting.push(outbox);
    if (!this.#isWaiting) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isWaiting = true;
    try {
      while (this.#waiting.length > 0) {
        await this.#store.whenDurable(this.#waiting[0].firstSequence);
        this.#departAll();
      }
    } catch {
      for (const outbox of this.#waiting.splice(0)) outbox.fail();
    } finally {
      this.#isWaiting = false;
    }
  }

  #departAll(): void {
    const durable = this.#store.durableSequence;
    const outboxes = this.#waiting;
    this.#waiting = []; // an outbox that departs may come back at once
    for (const outbox of outboxes) if (!outbox.depart(durable)) this.#waiting.push(outbox);
  }
}
