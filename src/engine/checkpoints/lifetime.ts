import { TailraceError } from '../../errors/index.js';

/** When a checkpoint expires that is to live so long from now on; null = never. */
export const lifetimeFrom = (
  nowMs: number,
  lifetimeMs: number | null,
): { expires: string | null; lifetimeMs: number | null } => ({
  expires: lifetimeMs === null ? null : new Date(nowMs + lifetimeMs).toISOString(),
  lifetimeMs,
});

/** @throws TailraceError `LIMIT_EXCEEDED` */
export const requireLifetime = (lifetimeMs: number | undefined): void => {
  if (lifetimeMs === undefined || (lifetimeMs >= minLifetimeMs && lifetimeMs <= maxLifetimeMs)) return;
  throw new TailraceError(
    'LIMIT_EXCEEDED',
    `a lifetime of ${lifetimeMs} ms is not between 1 s and 100 years`,
    {
      context: { lifetimeMs },
      remedy: 'Choose a lifetime in between, or none.',
    },
  );
};

const minLifetimeMs = 1_000;
const maxLifetimeMs = 100 * 365.25 * 24 * 3_600_000;
