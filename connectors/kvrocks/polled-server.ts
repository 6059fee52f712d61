import {
  orGivenUp,
  type Position,
  positionOf,
  type Reply,
  ReplyError,
  type RespAddress,
  RespConnection,
  requireSameHistory,
} from '../../src/kit/index.js';
import { type PolledUpdates, readPolledUpdates } from './polled-updates.js';
import { lostNewest, meaningOf, misplaced } from './refusal.js';

/** One connection to a server that is polled, and what is asked there beside the polls: where its batches stand. */
export class PolledServer {
  readonly place: string;
  /** A tailrace gives the bytes of batches as they are, waits for changes by itself, and keeps its log for slots. */
  readonly isTailrace: boolean;
  /** A Kvrocks in cluster mode: its keys carry slots. */
  readonly hasSlots: boolean;
  readonly #connection: RespConnection;

  /**
   * @param answerTimeoutMs how long it may be silent while it owes an answer; then the connection is lost
   * @throws TailraceError `SOURCE_UNREACHABLE`, what refuses the login, or an Error when it does not answer in time
   */
  static async open(
    address: RespAddress,
    answerTimeoutMs: number,
    signal: AbortSignal,
  ): Promise<PolledServer> {
    const connection = await RespConnection.open(address, { signal, answerTimeoutMs });
    try {
      // Only a tailrace knows the command; what others answer is of no interest.
      const reply = await orGivenUp(connection.call('COMMAND', 'INFO', 'STREAMUPDATES'), signal);
      const info = Array.isArray(reply) ? reply[0] : undefined;
      const isTailrace = Array.isArray(info) && String(info[0]) === 'streamupdates';
      const mode = isTailrace ? '' : await orGivenUp(connection.call('INFO', 'cluster'), signal);
      if (mode instanceof ReplyError && mode.message.startsWith('LOADING')) throw mode; // it is not known yet
      const hasSlots = String(mode).includes('cluster_enabled:1');
      return new PolledServer(connection, placeOf(address), isTailrace, hasSlots);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(connection: RespConnection, place: string, isTailrace: boolean, hasSlots: boolean) {
    this.#connection = connection;
    this.place = place;
    this.isTailrace = isTailrace;
    this.hasSlots = hasSlots;
  }

  get isLost(): boolean {
    return this.#connection.error !== undefined;
  }

  /** Asks; for answers that are waited for later, or by nobody. */
  call(...words: readonly (string | number)[]): Promise<Reply> {
    return this.#connection.call(...words);
  }

  /** Asks, and waits for the answer until the signal aborts. */
  ask(signal: AbortSignal, ...words: readonly (string | number)[]): Promise<Reply> {
    return orGivenUp(this.call(...words), signal);
  }

  /** The answer to a poll behind the sequence number `after`. @throws what a refusal means: see `meaningOf` */
  read(reply: Reply, after: number, isBinary = false): PolledUpdates {
    if (reply instanceof ReplyError) throw meaningOf(reply, this.place, after);
    return readPolledUpdates(reply, isBinary);
  }

  /**
   * Polls the batch of the position again, and compares.
   * @throws TailraceError `HISTORY_MISMATCH` | `WAL_PURGED` | `WAL_SEQUENCE_AHEAD`
   */
  async requireHistory(position: Position, signal: AbortSignal): Promise<void> {
    const before = position.sequence - position.count;
    // Batches without counted records may stand before it.
    for (const maxBatches of [2, maxPollBatches]) {
      const words = ['POLLUPDATES', before, 'MAX', maxBatches, 'STRICT', 'FORMAT', 'RAW'];
      const { batches } = this.read(await this.ask(signal, ...words), position.sequence);
      const found = batches.find((batch) => batch.count > 0);
      if (found !== undefined) {
        requireSameHistory(position, found);
        return;
      }
      if (batches.length < maxBatches) break;
    }
    throw lostNewest(this.place, position.sequence);
  }

  /** The newest batch; null when nothing was ever written. */
  async newest(signal: AbortSignal): Promise<Position | null> {
    const { latestSequence } = await this.#pollLoosely(0, signal);
    if (latestSequence === 0) return null;
    const { batches } = await this.#pollLoosely(latestSequence - 1, signal);
    const newest = batches.find((batch) => batch.count > 0);
    if (newest === undefined) throw new Error(`${this.place} does not give its newest batch`);
    return positionOf(newest);
  }

  /** The newest sequence number, of which `known` was seen. */
  async latestSequence(known: number, signal: AbortSignal): Promise<number> {
    if (this.isTailrace) return Number(await this.ask(signal, 'SEQUENCE'));
    return (await this.#pollLoosely(known, signal)).latestSequence;
  }

  /** The batch that ends with the sequence number. @throws TailraceError as `requireHistory` */
  async batchAt(sequence: number, signal: AbortSignal): Promise<Position> {
    const { batches } = await this.#pollLoosely(sequence - 1, signal);
    const found = batches.find((batch) => batch.count > 0);
    if (found === undefined) throw lostNewest(this.place, sequence);
    const position = positionOf(found);
    if (position.sequence === sequence) return position;
    throw misplaced(this.place, sequence, found.sequence);
  }

  close(): void {
    this.#connection.close();
  }

  /** Without STRICT a sequence number inside of a batch brings the whole batch. */
  async #pollLoosely(after: number, signal: AbortSignal): Promise<PolledUpdates> {
    return this.read(await this.ask(signal, 'POLLUPDATES', after, 'MAX', 2), after);
  }
}

export const placeOf = ({ host, port }: RespAddress): string => `${host}:${port}`;

/** What a server takes at most in one poll. */
export const maxPollBatches = 1_000;
