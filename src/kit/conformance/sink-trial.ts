import { expect } from 'vitest';
import { isSamePosition } from '../history.js';
import type { Claim, Sink, WriteOutcome } from '../sink.js';
import { claimPatiently } from './claim-patiently.js';
import type { SampleHistory } from './sample-history.js';
import type { SinkHarness } from './sink-harness.js';

/** The target of a suite, and the sinks that one test opens on it. */
export class SinkTrial {
  readonly holdsPosition: boolean;
  /** Never aborts. */
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #harness: SinkHarness;
  readonly #opened: Sink[] = [];

  constructor(harness: SinkHarness) {
    this.#harness = harness;
    this.holdsPosition = harness.fencing !== 'none';
  }

  async open(): Promise<Sink> {
    const sink = await this.#harness.open();
    this.#opened.push(sink);
    return sink;
  }

  async claimed(): Promise<{ readonly sink: Sink; readonly claim: Claim }> {
    const sink = await this.open();
    return { sink, claim: await this.claim(sink) };
  }

  claim(sink: Sink): Promise<Claim> {
    return claimPatiently(sink, this.signal);
  }

  /** What the target holds. */
  contents(): Promise<Map<string, string>> {
    return this.#harness.contents();
  }

  /** Writes the batches from `from` up to, not including, `to`, and waits until they are durable. */
  async deliver(sink: Sink, history: SampleHistory, from: number, to: number, claim: Claim): Promise<void> {
    await this.expectDurable(await sink.write(history.sinkBatch(from, to), claim, this.signal));
  }

  async expectDurable(outcome: WriteOutcome): Promise<void> {
    expect(outcome).toMatchObject({ kind: expect.stringMatching(/^(durable|accepted)$/) });
    if (outcome.kind === 'accepted') await outcome.durable;
  }

  /**
   * Whether a write of `from` to `to` took effect whose caller cannot say, as a claim behind it tells: all of it or nothing.
   * A sink that holds no position is given it once more.
   */
  wasApplied({ position }: Claim, history: SampleHistory, from: number, to: number): boolean {
    if (!this.holdsPosition) return false;
    const isApplied = isSamePosition(position, history.positionAfter(to));
    if (!isApplied) expect(position).toEqual(history.positionAfter(from));
    return isApplied;
  }

  /** Disposes what the test has opened, and empties the target. */
  async end(): Promise<void> {
    for (const sink of this.#opened.splice(0)) await sink[Symbol.asyncDispose]();
    await this.#harness.clean();
  }
}
