import process from 'node:process';
import type { MigrationStatus } from '../../migration/index.js';
import { counted, formatBytes, formatCount, type OutputOptions, Progress } from '../console.js';

/** Shows how a migration gets on: a bar on a terminal, plain lines now and then elsewhere, events with `--json`. */
export class MigrationDisplay {
  readonly #output: OutputOptions;
  readonly #progress: Progress;
  readonly #totalKeys: number | undefined;
  readonly #followsChanges: boolean;
  #phase = '';
  #before: { atMs: number; keys: number; changes: number } | undefined;
  #keysPerSecond = 0;
  #timer: NodeJS.Timeout | undefined;
  #emittedMs = 0;

  /**
   * @param totalKeys about how many keys the source has, where it tells
   * @param followsChanges false of a source without a log, whose keys are copied as they are when they are read
   */
  constructor(output: OutputOptions, totalKeys: number | undefined, followsChanges: boolean) {
    this.#followsChanges = followsChanges;
    this.#output = output;
    this.#progress = new Progress(output);
    this.#totalKeys = totalKeys;
  }

  start(migration: { readonly status: MigrationStatus }): void {
    this.#show(migration.status);
    this.#timer = setInterval(() => this.#show(migration.status), intervalMs);
  }

  /** Shows the last state, which stays. */
  stop(migration: { readonly status: MigrationStatus }): void {
    clearInterval(this.#timer);
    this.#show(migration.status, true);
  }

  event(name: string, facts: Readonly<Record<string, unknown>>): void {
    if (!this.#output.isJson) return;
    const followsChanges = this.#followsChanges;
    process.stdout.write(`${JSON.stringify({ event: name, followsChanges, ...facts })}\n`);
  }

  #show(status: MigrationStatus, isLast = false): void {
    const now = performance.now();
    const seconds = this.#before === undefined ? 0 : (now - this.#before.atMs) / 1000;
    const rate = (count: number, before: number): number =>
      seconds > 0 ? Math.round((count - before) / seconds) : 0;
    const rateNow = rate(status.keys, this.#before?.keys ?? 0);
    // Parts come in jumps: what is left is told by the average of the last seconds.
    this.#keysPerSecond = this.#keysPerSecond === 0 ? rateNow : 0.9 * this.#keysPerSecond + 0.1 * rateNow;
    const keysPerSecond = Math.round(this.#keysPerSecond);
    const changesPerSecond = rate(status.changes, this.#before?.changes ?? 0);
    this.#before = { atMs: now, keys: status.keys, changes: status.changes };
    if (status.phase !== this.#phase) {
      this.#phase = status.phase;
      this.event('phase', { ...status });
    }
    if (isLast || now - this.#emittedMs >= eventIntervalMs) {
      this.#emittedMs = now;
      this.event('progress', { ...status, keysPerSecond, changesPerSecond, totalKeys: this.#totalKeys });
    }
    const line = this.#line(status, keysPerSecond, changesPerSecond);
    if (isLast) this.#progress.finish(line);
    else this.#progress.show(line);
  }

  #line(status: MigrationStatus, keysPerSecond: number, changesPerSecond: number): string {
    const parts = [status.phase.padEnd(9)];
    const total = this.#totalKeys;
    if (status.phase === 'snapshot' && total !== undefined && total > 0) {
      const share = Math.min(1, status.keys / total);
      const filled = Math.round(share * barWidth);
      parts.push(`[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${Math.floor(share * 100)}%`);
    }
    parts.push(counted(status.keys, 'key'), formatBytes(status.bytes));
    if (status.phase === 'snapshot') {
      parts.push(`${formatCount(keysPerSecond)}/s`);
      if (total !== undefined && keysPerSecond > 0 && total > status.keys)
        parts.push(`about ${formatWait((total - status.keys) / keysPerSecond)} left`);
    } else if (!this.#followsChanges) {
      parts.push('changes are not followed');
    } else if (status.phase !== 'prepare') {
      parts.push(counted(status.changes, 'change'), `${formatCount(changesPerSecond)}/s`);
      const lagSeconds = status.lag > 0 ? ` (${(status.lagMs / 1000).toFixed(1)} s)` : '';
      parts.push(`lag ${formatCount(status.lag)}${lagSeconds}`);
    }
    if (status.pendingKeys > 0) parts.push(`${formatCount(status.pendingKeys)} to read again`);
    if (status.skippedKeys > 0) parts.push(`${formatCount(status.skippedKeys)} left out`);
    return parts.join('  ');
  }
}

const formatWait = (seconds: number): string => {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

const intervalMs = 250;
const eventIntervalMs = 1_000;
const barWidth = 24;
