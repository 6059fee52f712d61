import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, TailraceError } from '../../errors/index.js';
import { orGivenUp, withDeadline } from '../../kit/index.js';

/** The right to run a pipeline. */
export interface Lease {
  /** Aborts, with a `PIPELINE_OWNED` error, when the right could not be kept. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** How a store keeps leases. A token stands for one owner; times are those of the store's own clock. */
export interface LeaseStore {
  /** Takes the lease when nobody has it or it has run out; else who has it. */
  take(
    pipeline: string,
    token: string,
    holder: string,
    forMs: number,
  ): Promise<{ holder: string } | undefined>;
  /** True when the token still had it. */
  renew(pipeline: string, token: string, forMs: number): Promise<boolean>;
  drop(pipeline: string, token: string): Promise<void>;
}

/**
 * Takes a lease that runs out by itself and keeps it by renewing. A lease that somebody has is waited for as long as it
 * takes to run out: its owner may be dead. Who has it still by then is alive. Once `signal` aborts nothing is waited for: a
 * lease that a store which stands still gives later runs out by itself.
 */
export const takeLease = async (
  store: LeaseStore,
  pipeline: string,
  leaseMs: number,
  signal: AbortSignal,
): Promise<Lease> => {
  const token = randomUUID();
  const holder = `process ${process.pid} on ${hostname()} (since ${new Date().toISOString()})`;
  const deadlineMs = performance.now() + leaseMs + 500;
  for (;;) {
    const other = await orGivenUp(store.take(pipeline, token, holder, leaseMs), signal);
    if (other === undefined) break;
    if (performance.now() > deadlineMs) throw owned(pipeline, other.holder);
    await delay(Math.min(500, leaseMs / 4), undefined, { signal });
  }
  const lost = new AbortController();
  const ended = new AbortController();
  const renewing = keepRenewed(store, pipeline, token, leaseMs, ended.signal).catch((error: unknown) =>
    lost.abort(error),
  );
  return {
    lost: lost.signal,
    release: async () => {
      ended.abort();
      await renewing;
      // By then it has run out by itself.
      await inTime(store.drop(pipeline, token), leaseMs, []);
    },
  };
};

/** Until it is ended. @throws TailraceError `PIPELINE_OWNED` when the lease is lost, or may be */
const keepRenewed = async (
  store: LeaseStore,
  pipeline: string,
  token: string,
  leaseMs: number,
  ended: AbortSignal,
): Promise<void> => {
  let renewedMs = performance.now();
  while (!ended.aborted) {
    await delay(leaseMs / 3, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) return;
    const askedMs = performance.now();
    const deadlineMs = renewedMs + leaseMs * 0.8;
    let isKept: boolean;
    try {
      isKept = await inTime(store.renew(pipeline, token, leaseMs), deadlineMs - askedMs, [ended]);
    } catch (error) {
      if (ended.aborted) return;
      // The store may come back in time.
      if (performance.now() < deadlineMs) continue;
      throw lostLease(pipeline, messageOf(error));
    }
    if (!isKept) throw lostLease(pipeline, 'it ran out, or another process took it');
    renewedMs = askedMs;
  }
};

/** What a store answers, unless it does not within `ms`: one that says nothing must not pass for one that agrees. */
const inTime = <Result>(
  work: Promise<Result>,
  ms: number,
  signals: readonly AbortSignal[],
): Promise<Result> => withDeadline(ms, signals, (limit) => orGivenUp(work, limit));

/** The pipeline is another process's. */
export const owned = (pipeline: string, holder: string): TailraceError =>
  new TailraceError('PIPELINE_OWNED', `pipeline ${pipeline} is run by ${holder}`, {
    context: { pipeline, holder },
    remedy: 'Stop that process, or give this pipeline another name.',
  });

const lostLease = (pipeline: string, reason: string): TailraceError =>
  new TailraceError('PIPELINE_OWNED', `pipeline ${pipeline} lost its lease: ${reason}`, {
    context: { pipeline },
    remedy: 'Nothing is lost: start it again where it is not running yet.',
  });
