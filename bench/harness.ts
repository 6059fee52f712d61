/** One figure, as a ratio against a peer or a limit measured in the same run. */
export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with. */
  readonly peer: string;
  readonly peerValue: number;
  /** value / peerValue */
  readonly ratio: number;
  /** Smallest ratio that counts as reached. */
  readonly target: number;
  readonly met: boolean;
}

export interface BenchOptions {
  /** A tenth of the work, to see that a bench runs; its figures are not to be quoted. */
  readonly isQuick: boolean;
  /** Of `engine-store` and `store-memory`: how many keys, instead of 10 M. */
  readonly keys: number | undefined;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  run(options: BenchOptions): Promise<BenchResult[]>;
}

export const result = (
  name: string,
  value: number,
  unit: string,
  peer: string,
  peerValue: number,
  target: number,
): BenchResult => {
  const ratio = value / peerValue;
  return { name, value, unit, peer, peerValue, ratio, target, met: ratio >= target };
};

/** A limit is kept when the limit divided by the figure is 1 or more. */
export const atMost = (name: string, value: number, unit: string, limit: number): BenchResult => ({
  ...result(name, value, unit, `the limit of ${limit} ${unit}`, limit, 1),
  ratio: value === 0 ? 1 : limit / value,
  met: value <= limit,
});

/** Seconds that `work` takes. */
export const seconds = async (work: () => void | Promise<void>): Promise<number> => {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
};

/** The middle value: one slow run of a noisy machine does not move it. */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1];

/** Runs the contenders in turn, A B A B …, and gives each one's median rate, so that drift hits both alike. */
export const alternate = async (
  rounds: number,
  contenders: readonly (() => Promise<number>)[],
): Promise<number[]> => {
  const rates: number[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, contender] of contenders.entries()) rates[i]?.push(await contender());
  return rates.map(median);
};
