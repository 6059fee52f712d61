/**
 * Commits that the server has made visible and not yet synced, and when they are. The server's log is in order: a
 * commit that is synced (and, if the server is set so, replicated) makes all before it safe as well. So now and then
 * one commit without content waits for the disk, and those with content do not; at once when no more follow for a
 * moment, since nothing is held up then and whoever drains waits for it. Position and rows are one transaction:
 * what a crash takes of them before, it takes together.
 */
export class CommitSync {
  readonly #intervalMs: number;
  readonly #sync: () => Promise<void>;
  #pending: { resolve(): void; reject(error: Error): void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isWriting = false;
  #syncing: Promise<void> = Promise.resolve();

  /** `sync` makes a commit that the server syncs; it is never called during a write. */
  constructor(intervalMs: number, sync: () => Promise<void>) {
    this.#intervalMs = intervalMs;
    this.#sync = sync;
  }

  /** A write wants to begin: resolves when it may. */
  async begin(): Promise<void> {
    clearTimeout(this.#idleTimer);
    await this.#syncing;
    this.#isWriting = true;
  }

  /** The write has ended, with a commit or without. */
  end(): void {
    this.#isWriting = false;
    if (this.#isDue) this.#start();
    else if (this.#pending.length > 0)
      this.#idleTimer = setTimeout(() => {
        if (!this.#isWriting) this.#start();
      }, idleMs);
  }

  /** For a write that was just committed: resolves when it is safe, rejects when nobody can tell any more. */
  whenDurable(): Promise<void> {
    const durable = new Promise<void>((resolve, reject) => {
      this.#pending.push({ resolve, reject });
    });
    durable.catch(() => undefined); // who does not wait for it need not hear of it
    this.#timer ??= setTimeout(() => {
      this.#isDue = true;
      if (!this.#isWriting) this.#start();
    }, this.#intervalMs);
    return durable;
  }

  /** The connection is gone: what is not durable yet is known after the next claim. */
  lost(reason: Error): void {
    for (const { reject } of this.#take()) reject(reason);
  }

  #start(): void {
    const taken = this.#take();
    this.#syncing = this.#sync().then(
      () => {
        for (const { resolve } of taken) resolve();
      },
      (error: Error) => {
        for (const { reject } of taken) reject(error);
      },
    );
  }

  #take(): readonly { resolve(): void; reject(error: Error): void }[] {
    clearTimeout(this.#timer);
    clearTimeout(this.#idleTimer);
    this.#timer = undefined;
    this.#isDue = false;
    const taken = this.#pending;
    this.#pending = [];
    return taken;
  }
}

const idleMs = 10;
