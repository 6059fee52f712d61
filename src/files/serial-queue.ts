/** Runs jobs one after the other, in the order in which they are given, whatever becomes of those before. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as the job does. */
  run<Result>(job: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(job, job);
    this.#last = result;
    return result;
  }

  /** Resolves when the jobs that were given so far have ended; who gave them is told of failures, not who waits here. */
  async whenIdle(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
