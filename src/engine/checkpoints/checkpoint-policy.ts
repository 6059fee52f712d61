import type { Checkpoints } from './checkpoints.js';

/** When checkpoints are made by themselves, and how many of them are kept. */
export interface CheckpointPolicyOptions {
  /** Name of the checkpoints, and of the policy; default `automatic`. */
  readonly name?: string;
  /** Make one when so much time has passed since the last, and something has changed. */
  readonly everyMs?: number;
  /** Make one when so many sequence numbers have been given since the last. */
  readonly everyChanges?: number;
  /** How many are kept, the newest; default 3. */
  readonly keep?: number;
}

/** Makes checkpoints at intervals of time or changes and deletes the oldest of its own; owns one timer. */
export class CheckpointPolicy {
  readonly #options: CheckpointPolicyOptions;
  readonly #checkpoints: Checkpoints;
  readonly #sequence: () => number;
  readonly #nowMs: () => number;
  readonly #timer: NodeJS.Timeout;
  #lastMs: number;
  #lastSequence: number;
  #running: Promise<void> | undefined;
  #failure: unknown;

  constructor(
    options: CheckpointPolicyOptions,
    checkpoints: Checkpoints,
    sequence: () => number,
    nowMs: () => number,
  ) {
    this.#options = options;
    this.#checkpoints = checkpoints;
    this.#sequence = sequence;
    this.#nowMs = nowMs;
    const [newest] = this.#own();
    this.#lastMs = newest === undefined ? nowMs() : Date.parse(newest.created);
    this.#lastSequence = newest?.sequence ?? sequence();
    const lookMs = Math.min(maxLookMs, Math.max(minLookMs, (options.everyMs ?? maxLookMs) / 4));
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** Why the last checkpoint was not made, if it was not. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #look(): void {
    if (this.#running !== undefined) return;
    const changes = this.#sequence() - this.#lastSequence;
    const { everyMs, everyChanges } = this.#options;
    const nowMs = this.#nowMs();
    this.#lastMs = Math.min(this.#lastMs, nowMs); // the clock was ahead, perhaps by years
    const isDue =
      (everyMs !== undefined && changes > 0 && nowMs - this.#lastMs >= everyMs) ||
      (everyChanges !== undefined && changes >= everyChanges);
    if (!isDue) return;
    this.#running = this.#make()
      .then(() => {
        this.#failure = undefined;
      })
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #make(): Promise<void> {
    this.#lastMs = this.#nowMs();
    this.#lastSequence = this.#sequence();
    await this.#checkpoints.create({ name: this.#name, creator: this.#creator });
    for (const { id } of this.#own().slice(this.#options.keep ?? defaultKeep))
      await this.#checkpoints.delete(id);
  }

  #own(): ReturnType<Checkpoints['list']> {
    return this.#checkpoints.list().filter(({ creator }) => creator === this.#creator);
  }

  get #name(): string {
    return this.#options.name ?? 'automatic';
  }

  get #creator(): string {
    return `policy:${this.#name}`;
  }
}

const defaultKeep = 3;
const minLookMs = 20;
const maxLookMs = 1_000;
