/** What was measured of one thing: so many of `unit` in a time, and more in words. */
export interface Measurement {
  readonly what: string;
  readonly count: number;
  /** `writes`, `reads`, `changes` */
  readonly unit: string;
  readonly seconds: number;
  readonly perSecond: number;
  readonly detail: string;
}

/** Runs `work`, which tells how many it did, and perhaps more in words. */
export const measure = async (
  what: string,
  unit: string,
  work: () => Promise<{ count: number; detail?: string }>,
): Promise<Measurement> => {
  const startedAt = performance.now();
  const { count, detail = '' } = await work();
  const seconds = Math.max(1e-3, (performance.now() - startedAt) / 1000);
  return { what, count, unit, seconds, perSecond: Math.round(count / seconds), detail };
};
