import process from 'node:process';
import type { MigrationStatus } from '../../migration/index.js';
import { counted, formatBytes, formatCount, type OutputOptions, Progress } from '../console.js';
import { progressBar, timeLeft } from './progress-text.js';
import { RecentRate } from './recent-rate.js';

/** Shows how a migration gets on: a bar on a terminal, plain lines now and then elsewhere, events with `--json`. */
export class MigrationDisplay {
  readonly #output: OutputOptions;
  readonly #progress: Progress;
  readonly #totalKeys: number | undefined;
  readonly #followsChanges: boolean;
  #phase = '';
  readonly #keyRate = new RecentRate();
  readonly #changeRate = new RecentRate();
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
    const keysPerSecond = this.#keyRate.look(now, status.keys);
    const changesPerSecond = this.#changeRate.look(now, status.changes);
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
      parts.push(progressBar(status.keys / total));
    }
    parts.push(counted(status.keys, 'key'), formatBytes(status.bytes));
    if (status.phase === 'snapshot') {
      parts.push(`${formatCount(keysPerSecond)}/s`);
      if (total !== undefined && this.#keyRate.isSteady && keysPerSecond > 0 && total > status.keys)
        parts.push(timeLeft(total - status.keys, keysPerSecond));
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

const intervalMs = 250;
const eventIntervalMs = 1_000;
