import {
  type Pulled,
  type PullLimit,
  requireSameHistory,
  type Source,
  type SourceBatch,
  type StartPoint,
} from '../kit/index.js';

/** The newest pulls of the leading session. Pulls are numbered from 0; the oldest are forgotten. */
export class SourceWindow {
  readonly session: Source;
  readonly #start: StartPoint;
  readonly #maxBytes: number;
  readonly #closed = new AbortController();
  readonly #pulls: { readonly batches: readonly SourceBatch[]; readonly byteLength: number }[] = [];
  #firstAt = 0;
  #byteLength = 0;
  #latestSequence = 0;
  #pulling: Promise<Pulled | null> | undefined;

  constructor(session: Source, start: StartPoint, maxBytes: number) {
    this.session = session;
    this.#start = start;
    this.#maxBytes = maxBytes;
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  get latestSequence(): number {
    return this.#latestSequence;
  }

  get endAt(): number {
    return this.#firstAt + this.#pulls.length;
  }

  /** The sequence number that the next pull starts with; 0 when nothing tells it yet. */
  get nextSequence(): number {
    const last = this.#pulls.at(-1)?.batches.at(-1);
    if (last !== undefined) return last.sequence + last.count;
    return this.#start.kind === 'after' ? this.#start.position.sequence + 1 : 0;
  }

  /** The pull with this number; undefined when it was forgotten or is yet to come. */
  pullAt(at: number): readonly SourceBatch[] | undefined {
    return this.#pulls[at - this.#firstAt]?.batches;
  }

  has(at: number): boolean {
    return !this.isClosed && at >= this.#firstAt;
  }

  /** The number of the pull that brings what follows `start`; undefined when the window cannot tell. */
  find(start: StartPoint): number | undefined {
    if (this.isClosed) return undefined;
    const isWhole = this.#firstAt === 0;
    if (start.kind !== 'after') return isWhole && this.#start.kind === start.kind ? 0 : undefined;
    const { position } = start;
    if (isWhole && this.#start.kind === 'after' && this.#start.position.sequence === position.sequence)
      return this.#start.position.crc === position.crc ? 0 : undefined;
    for (const [at, { batches }] of this.#pulls.entries()) {
      const held = batches.find((batch) => batch.count > 0 && lastSequenceOf(batch) === position.sequence);
      if (held === undefined) continue;
      requireSameHistory(position, held);
      return this.#firstAt + at;
    }
    return undefined;
  }

  /** The number of the pull that holds a sequence number, or of the one to come. */
  findSequence(sequence: number): number | undefined {
    const first = this.#pulls[0]?.batches[0];
    if (this.isClosed || first === undefined || sequence < first.sequence) return undefined;
    const at = this.#pulls.findIndex(
      ({ batches }) => lastSequenceOf(batches[batches.length - 1]) >= sequence,
    );
    return at < 0 ? this.endAt : this.#firstAt + at;
  }

  /** Reads on; whoever asks while a pull is under way shares it. */
  advance(limit: PullLimit): Promise<Pulled | null> {
    this.#pulling ??= this.#pull(limit).finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#pulling?.catch(() => undefined); // whoever waits for it sees that the window is closed
    this.#pulls.length = 0;
    await this.session[Symbol.asyncDispose]();
  }

  async #pull(limit: PullLimit): Promise<Pulled | null> {
    const pulled = await this.session.pull(limit, this.#closed.signal).catch((error: unknown) => {
      if (this.isClosed) return null; // given up because we asked for it
      throw error;
    });
    if (pulled === null || this.isClosed) return null;
    this.#latestSequence = pulled.latestSequence;
    if (pulled.batches.length === 0) return pulled;
    const byteLength = pulled.batches.reduce((total, { bytes }) => total + bytes.length, 0);
    this.#pulls.push({ batches: pulled.batches, byteLength });
    this.#byteLength += byteLength;
    while (this.#byteLength > this.#maxBytes && this.#pulls.length > 1) {
      this.#byteLength -= this.#pulls.shift()?.byteLength ?? 0;
      this.#firstAt++;
    }
    return pulled;
  }
}

export const lastSequenceOf = (batch: SourceBatch): number => batch.sequence + batch.count - 1;
