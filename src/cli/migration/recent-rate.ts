/** How fast a count grew of late: parts come in jumps, so that one look at the next would tell little. */
export class RecentRate {
  readonly #looks: { readonly atMs: number; readonly count: number }[] = [];

  /** Takes a look; gives the count in a second, over the last looks. */
  look(atMs: number, count: number): number {
    this.#looks.push({ atMs, count });
    if (this.#looks.length > keptLooks) this.#looks.shift();
    const [first] = this.#looks;
    return atMs > first.atMs ? Math.round(((count - first.count) * 1000) / (atMs - first.atMs)) : 0;
  }

  /** True when the rate is worth telling from it how long something takes. */
  get isSteady(): boolean {
    return this.#looks.length >= steadyLooks;
  }
}

/** Ten seconds at four looks a second. */
const keptLooks = 40;
const steadyLooks = 8;
