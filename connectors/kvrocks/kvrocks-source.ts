import { setTimeout as delay } from 'node:timers/promises';
import {
  CalmWarning,
  ContiguityCheck,
  type Finding,
  isTailraceError,
  type Logger,
  messageOf,
  orGivenUp,
  type PluginContext,
  type Position,
  type Pulled,
  type PullLimit,
  parseRedisUrl,
  positionOf,
  type Reply,
  type RespAddress,
  RespConnection,
  type Retention,
  type Source,
  type SourceBatch,
  type SourceTrouble,
  type StartPoint,
  TailraceError,
} from '../../src/kit/index.js';
import { checkServer } from './check.js';
import { LogSlot } from './log-slot.js';
import { maxPollBatches, PolledServer, placeOf } from './polled-server.js';
import type { PolledUpdates } from './polled-updates.js';

/** Settings of the source `kvrocks`, but for those of its snapshots. */
export interface KvrocksSourceOptions {
  /** redis://[user:password@]host:port, or rediss:// */
  readonly url: string;
  /** Overrides the password of the URL. */
  readonly password: string;
  /** Batches a poll asks for while behind, at most; 2 to 1000. */
  readonly pollBatches: number;
  /** Longest pause between polls at the tip, in ms. */
  readonly idlePollMs: number;
  /** How long the server may be silent while it owes an answer, before the connection counts as lost, in ms. */
  readonly answerTimeoutMs: number;
  /** How long a lost connection is tried again before it counts as an error, in ms; 0 = for ever. */
  readonly giveUpAfterMs: number;
  /** Name of the slot for which a tailrace keeps its log; none when absent. */
  readonly slot?: string | undefined;
  /** The sequence number behind which its beginning lies, for who takes what is left of a log; default: 0, the very first. */
  readonly beginsBehind?: number | undefined;
  /** Whoever runs it takes a new snapshot where the log no longer reaches back. For `check`. */
  readonly takesSnapshots?: boolean | undefined;
}

/**
 * The changes of a Kvrocks, or of another tailrace, by POLLUPDATES.
 *
 * Always whole batches and STRICT, and the contiguity of the batches is checked here too: without STRICT a purged log would be
 * a silent gap. On open and after each reconnect the batch at the position is polled again and compared with the
 * position's fingerprint, since equal sequence numbers can name other batches after a failover.
 *
 * While behind, one poll is under way while the last one is handled; at the tip the pause doubles from 1 ms on. A
 * poll is limited by batches, not by bytes, so how many are asked for follows the size of those that came.
 *
 * A tailrace is told by its commands. It is asked for the bytes themselves, and to wait for what comes: then a poll
 * is always under way, and a change arrives as soon as it is durable there.
 */
export class KvrocksSource implements Source {
  readonly #options: KvrocksSourceOptions;
  readonly #address: RespAddress;
  readonly #log: Logger;
  readonly #slot: LogSlot;
  #server: PolledServer | undefined;
  #hasSlots = false;
  /** The last batch that was received. */
  #position: Position | null = null;
  #check = new ContiguityCheck();
  #received = 0;
  #latestSequence = 0;
  /** Since it was opened. */
  #hasPolled = false;
  #idlePauseMs = 0;
  #pollBatches = firstPollBatches;
  #nextPoll: Promise<Reply> | undefined;
  #trouble: { readonly reason: string; readonly sinceMs: number } | null = null;
  /** Received, but beyond the limit of the last pull. */
  #held: SourceBatch[] = [];

  constructor(options: KvrocksSourceOptions, context: PluginContext) {
    this.#options = options;
    this.#log = context.log;
    this.#slot = new LogSlot(options.slot, context.log);
    this.#address = parseRedisUrl(options.url, options.password);
  }

  /**
   * The newest batch that the source has; null when nothing was ever written. A tailrace keeps its log from there on, as soon
   * as this resolves.
   */
  newestPosition(signal: AbortSignal): Promise<Position | null> {
    return this.#retry(signal, async () => {
      const server = await this.#connect(signal);
      const newest = await server.newest(signal);
      await this.#slot.hold(newest, server, signal);
      return newest;
    });
  }

  /**
   * The batch that ends with a sequence number, such as that of a checkpoint; null for 0. As of `newestPosition`, the log is
   * kept from there on, also where the slot stood further on.
   * @throws TailraceError `WAL_PURGED` when the log no longer has it
   */
  positionAt(sequence: number, signal: AbortSignal): Promise<Position | null> {
    return this.#retry(signal, async () => {
      const server = await this.#connect(signal);
      const found = sequence === 0 ? null : await server.batchAt(sequence, signal);
      await this.#slot.drop(server, signal);
      await this.#slot.hold(found, server, signal);
      return found;
    });
  }

  get trouble(): SourceTrouble | null {
    if (this.#trouble === null) return null;
    const { reason, sinceMs } = this.#trouble;
    return { reason, forMs: Math.round(performance.now() - sinceMs) };
  }

  get hasSlots(): boolean {
    return this.#hasSlots;
  }

  async open(start: StartPoint, signal: AbortSignal): Promise<void> {
    this.#disconnect();
    this.#held = [];
    this.#latestSequence = 0;
    this.#hasPolled = false;
    this.#idlePauseMs = 0;
    this.#position = start.kind === 'after' ? start.position : null;
    await this.#retry(signal, async () => {
      const server = await this.#connect(signal);
      if (start.kind === 'latest') this.#position = await server.newest(signal);
      await this.#slot.hold(this.#position, server, signal);
    });
    this.#received = this.#position?.sequence ?? this.#options.beginsBehind ?? 0;
    this.#check = new ContiguityCheck(this.#received + 1);
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    signal.throwIfAborted();
    if (this.#held.length === 0) {
      if (this.#idlePauseMs > 0) await delay(this.#idlePauseMs, undefined, { signal });
      this.#held = await this.#retry(signal, () => this.#poll(limit.maxBytes, signal));
    }
    return { batches: this.#takeHeld(limit), latestSequence: this.#latestSequence };
  }

  /** Lets a tailrace remove what lies before the batch of `position`. */
  async acknowledge({ sequence }: Position): Promise<void> {
    this.#slot.acknowledge(sequence);
  }

  /** Kvrocks keeps its log by time (and size, which tells nothing of time). */
  async retention(signal: AbortSignal): Promise<Retention> {
    const server = this.#server;
    if (server === undefined) return {};
    const reply = await server.ask(signal, 'CONFIG', 'GET', 'rocksdb.wal_ttl_seconds');
    const seconds = Array.isArray(reply) ? Number(reply[1]) : 0;
    const latestSequence = await server.latestSequence(this.#latestSequence, signal);
    return { latestSequence, ...(seconds > 0 ? { keptMs: seconds * 1000 } : {}) };
  }

  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    const connection = await RespConnection.open(this.#address, { signal });
    try {
      return await checkServer(connection, this.#place, this.#options);
    } finally {
      connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disconnect();
  }

  /** Polls once; empty at the tip. */
  async #poll(maxBytes: number, signal: AbortSignal): Promise<SourceBatch[]> {
    const server = await this.#connect(signal);
    await this.#slot.make(server, signal);
    const asked = this.#pollBatches;
    const reply = await orGivenUp(this.#nextPoll ?? this.#requestNext(server), signal);
    this.#nextPoll = undefined;
    this.#hasPolled = true;
    const polled = server.read(reply, this.#received, server.isTailrace);
    this.#latestSequence = polled.latestSequence;
    const batches = withoutTrailingEmpty(polled.batches);
    this.#adaptPollBatches(polled, maxBytes);
    const last = batches.at(-1);
    if (last === undefined) {
      if (polled.batches.length >= asked) this.#lookFurther(asked);
      else if (!server.isTailrace)
        this.#idlePauseMs = Math.min(this.#options.idlePollMs, Math.max(1, this.#idlePauseMs * 2));
      return [];
    }
    this.#idlePauseMs = 0;
    for (const batch of batches) this.#check.accept(batch.sequence, batch.count);
    this.#position = positionOf(last);
    this.#received = this.#position.sequence;
    if (server.isTailrace || polled.latestSequence > this.#received) {
      this.#nextPoll = this.#requestNext(server);
      this.#nextPoll.catch(() => undefined); // a lost connection is seen, and mended, by the poll that awaits it
    }
    return batches;
  }

  /** Grows and shrinks with what fits a pull: a poll has no limit in bytes. */
  #adaptPollBatches({ batches, byteLength }: PolledUpdates, maxBytes: number): void {
    if (batches.length === 0) return;
    const fitting = Math.floor((maxBytes * batches.length) / byteLength);
    this.#pollBatches = Math.max(2, Math.min(fitting, this.#pollBatches * 4, this.#mostPollBatches));
  }

  /** Nothing but batches without counted records: what follows them only comes with a larger poll. */
  #lookFurther(asked: number): void {
    this.#nextPoll = undefined;
    if (asked < maxPollBatches) {
      this.#pollBatches = Math.min(asked * 4, maxPollBatches);
      return;
    }
    throw new TailraceError(
      'SOURCE_UNSUPPORTED',
      `${this.#place} has ${asked} batches in a row at sequence number ${this.#received + 1} that change nothing`,
      {
        context: { source: this.#place, sequence: this.#received + 1 },
        remedy: 'No poll can pass over so many: read the log files with the wal connector.',
      },
    );
  }

  #takeHeld(limit: PullLimit): SourceBatch[] {
    let taken = 0;
    let bytes = 0;
    while (taken < this.#held.length && taken < limit.maxBatches) {
      bytes += this.#held[taken].bytes.length;
      if (taken > 0 && bytes > limit.maxBytes) break;
      taken++;
    }
    if (taken < this.#held.length) return this.#held.splice(0, taken);
    const all = this.#held;
    this.#held = [];
    return all;
  }

  /** Asks for what comes behind the last batch received; waits for it at the server where that can. */
  #requestNext(server: PolledServer): Promise<Reply> {
    const words = ['POLLUPDATES', this.#received, 'MAX', this.#pollBatches, 'STRICT', 'FORMAT'] as const;
    if (!server.isTailrace) return server.call(...words, 'RAW');
    // The first one tells how far the log goes, for which nobody need wait.
    if (!this.#hasPolled) return server.call(...words, 'BINARY');
    const waitMs = Math.ceil(Math.min(serverWaitMs, this.#options.answerTimeoutMs / 2));
    return server.call(...words, 'BINARY', 'BLOCK', waitMs);
  }

  /** A connection whose history was found to be ours. */
  async #connect(signal: AbortSignal): Promise<PolledServer> {
    if (this.#server?.isLost === false) return this.#server;
    this.#disconnect();
    const server = await PolledServer.open(this.#address, this.#options.answerTimeoutMs, signal);
    try {
      if (this.#position !== null) await server.requireHistory(this.#position, signal);
    } catch (error) {
      server.close();
      throw error;
    }
    this.#server = server;
    this.#hasSlots = server.hasSlots;
    return server;
  }

  /** Runs `work`; a lost connection is mended with growing, random pauses until it works or must be given up. */
  async #retry<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const startMs = performance.now();
    const warning = new CalmWarning(this.#log);
    for (let failures = 0; ; failures++) {
      try {
        const result = await work();
        this.#trouble = null;
        return result;
      } catch (error) {
        signal.throwIfAborted();
        this.#disconnect();
        if (isTailraceError(error) && error.code !== 'SOURCE_UNREACHABLE') throw error;
        const { giveUpAfterMs } = this.#options;
        if (giveUpAfterMs > 0 && performance.now() - startMs >= giveUpAfterMs) throw this.#unreachable(error);
        const reason = messageOf(error);
        this.#trouble = { reason, sinceMs: this.#trouble?.sinceMs ?? startMs };
        warning.warn('the source cannot be reached, trying again', { source: this.#place, reason });
        const pauseMs = Math.random() * Math.min(maxRetryPauseMs, firstRetryPauseMs * 2 ** failures);
        await delay(pauseMs, undefined, { signal });
      }
    }
  }

  #unreachable(cause: unknown): TailraceError {
    if (isTailraceError(cause)) return cause;
    const reason = messageOf(cause);
    return new TailraceError('SOURCE_UNREACHABLE', `lost ${this.#place}: ${reason}`, {
      context: { source: this.#place },
      remedy: 'Check that the server is running; the pipeline goes on from its position when started again.',
      cause,
    });
  }

  get #mostPollBatches(): number {
    return Math.min(this.#options.pollBatches, maxPollBatches);
  }

  get #place(): string {
    return placeOf(this.#address);
  }

  #disconnect(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#slot.release();
    this.#nextPoll = undefined;
  }
}

const firstPollBatches = 64;
/** How long a tailrace is asked to wait for changes; then an empty pull tells that there are none. */
const serverWaitMs = 500;
const firstRetryPauseMs = 20;
const maxRetryPauseMs = 2_000;

/** Batches without counted records at the end are left out: the next poll brings them again, with what follows. */
const withoutTrailingEmpty = (batches: readonly SourceBatch[]): SourceBatch[] => {
  const last = batches.findLastIndex((batch) => batch.count > 0);
  return batches.slice(0, last + 1);
};
