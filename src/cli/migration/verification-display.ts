import process from 'node:process';
import type { VerificationStatus } from '../../migration/verify/index.js';
import { counted, formatCount, type OutputOptions, Progress } from '../console.js';
import { progressBar, timeLeft } from './progress-text.js';
import { RecentRate } from './recent-rate.js';

/** Shows how a comparison gets on: a bar on a terminal, plain lines now and then elsewhere, events with `--json`. */
export class VerificationDisplay {
  readonly #output: OutputOptions;
  readonly #progress: Progress;
  readonly #totalKeys: number | undefined;
  readonly #rate = new RecentRate();
  #emittedMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param totalKeys about how many keys are compared; undefined or 0 where that is not known */
  constructor(output: OutputOptions, totalKeys: number | undefined) {
    this.#output = output;
    this.#progress = new Progress(output);
    this.#totalKeys = totalKeys;
    this.#emittedMs = performance.now();
    this.#rate.look(this.#emittedMs, 0);
  }

  start(verification: { readonly status: VerificationStatus }): void {
    this.#timer = setInterval(() => this.#show(verification.status), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#progress.clear();
  }

  #show(status: VerificationStatus): void {
    const now = performance.now();
    const keysPerSecond = this.#rate.look(now, status.sourceKeys + status.targetKeys);
    if (this.#output.isJson && now - this.#emittedMs >= eventIntervalMs) {
      this.#emittedMs = now;
      const event = { event: 'verifying', ...status, keysPerSecond, totalKeys: this.#totalKeys };
      process.stdout.write(`${JSON.stringify(event)}\n`);
    }
    this.#progress.show(this.#line(status, keysPerSecond));
  }

  #line({ phase, sourceKeys, targetKeys, suspects }: VerificationStatus, keysPerSecond: number): string {
    const total = this.#totalKeys ?? 0;
    const done = phase === 'look-up' ? targetKeys : sourceKeys;
    const parts = [phase === 'look-up' ? 'looked up' : 'compared'];
    if (phase !== 'settle' && total > 0) parts.push(progressBar(done / total));
    parts.push(
      phase === 'look-up' ? `${formatCount(targetKeys)} of the target` : counted(sourceKeys, 'key'),
      `${formatCount(keysPerSecond)}/s`,
    );
    if (phase !== 'settle' && keysPerSecond > 0 && total > done)
      parts.push(timeLeft(total - done, keysPerSecond));
    if (suspects > 0) parts.push(`${formatCount(suspects)} to look at again`);
    return parts.join('  ');
  }
}

const intervalMs = 250;
const eventIntervalMs = 1_000;
