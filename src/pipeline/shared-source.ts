import {
  orGivenUp,
  type Position,
  type Pulled,
  type PullLimit,
  positionOf,
  type Source,
  type SourceBatch,
  type SourceTrouble,
  type StartPoint,
} from '../kit/index.js';
import { lastSequenceOf, SourceWindow } from './source-window.js';

/**
 * One source, read for several sinks, each with a cursor of its own.
 *
 * What the leading session has read stays in a window of raw batches, bounded in bytes. Cursors within the window
 * share what was read; whoever is at its end moves it on. The window never waits: a cursor that falls out of it, or
 * starts elsewhere, reads the source by a session of its own until it is back in the window. So a slow or dead sink
 * costs the others nothing, and sinks that keep up cost the source one reader.
 */
export class SharedSource implements AsyncDisposable {
  readonly #open: () => Source;
  readonly #windowBytes: number;
  readonly #cursors: Cursor[] = [];
  /** Sessions being opened, which no cursor has yet. */
  readonly #connecting = new Set<Source>();
  #head: SourceWindow | undefined;
  #opening: Promise<unknown> = Promise.resolve();

  constructor(open: () => Source, windowBytes: number) {
    this.#open = open;
    this.#windowBytes = windowBytes;
  }

  /** A view of the source with a place of its own. */
  cursor(): Source {
    const cursor = new Cursor(this);
    this.#cursors.push(cursor);
    return cursor;
  }

  async newestPosition(signal: AbortSignal): Promise<Position | null | undefined> {
    await using session = this.#open();
    return await this.#whileConnecting(session, async () => await session.newestPosition?.(signal));
  }

  /** Everything up to `position` is durable in every sink. */
  async acknowledge(position: Position): Promise<void> {
    await this.#head?.session.acknowledge(position);
  }

  /** Ends every session, those of cursors too; cursors can be opened again. Must not be called during a pull. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening.catch(() => undefined); // whoever opened has been told
    for (const cursor of this.#cursors) await cursor[Symbol.asyncDispose]();
    await this.#head?.close();
    this.#head = undefined;
  }

  async #whileConnecting<Result>(session: Source, work: () => Promise<Result>): Promise<Result> {
    this.#connecting.add(session);
    try {
      return await work();
    } finally {
      this.#connecting.delete(session);
    }
  }

  /** Of the first session that has any. */
  get trouble(): SourceTrouble | null {
    const own = this.#cursors.map(({ session }) => session);
    for (const session of [this.#head?.session, ...own, ...this.#connecting])
      if (session?.trouble) return session.trouble;
    return null;
  }

  get head(): SourceWindow | undefined {
    return this.#head;
  }

  /** A session that has handed out everything up to `position` becomes the leading one, when there is none. */
  adopt(session: Source, position: Position): SourceWindow | undefined {
    if (this.#head !== undefined) return undefined;
    this.#head = new SourceWindow(session, { kind: 'after', position }, this.#windowBytes);
    return this.#head;
  }

  /** A session of its own for a cursor that is outside of the window. */
  async openSession(start: StartPoint, signal: AbortSignal): Promise<Source> {
    const session = this.#open();
    try {
      await this.#whileConnecting(session, () => session.open(start, signal));
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    return session;
  }

  /**
   * The window, when the place is in it; otherwise a session there. The first one, and one ahead of the window, makes
   * a new window that begins there. One at a time, so that sinks that start together share their reading. Whoever
   * starts at the latest change is alone at first: without a position it could not come back after falling out.
   */
  place(start: StartPoint, signal: AbortSignal): Promise<Place> {
    const place = async (): Promise<Place> => {
      const at = this.#head?.find(start);
      if (this.#head !== undefined && at !== undefined) return { window: this.#head, at };
      const session = await this.openSession(start, signal);
      const isLeading =
        start.kind !== 'latest' &&
        (this.#head === undefined ||
          (start.kind === 'after' && start.position.sequence >= this.#head.nextSequence));
      if (!isLeading) return { session };
      await this.#head?.close();
      this.#head = new SourceWindow(session, start, this.#windowBytes);
      return { window: this.#head, at: 0 };
    };
    const placed = this.#opening.then(place, place);
    this.#opening = placed;
    return placed;
  }
}

type Place = { readonly window: SourceWindow; readonly at: number } | { readonly session: Source };

/** One sink's place: in the window, or in a session of its own. */
class Cursor implements Source {
  readonly #shared: SharedSource;
  #window: SourceWindow | undefined;
  #at = 0;
  #session: Source | undefined;
  #start: StartPoint = { kind: 'beginning' };
  /** The last batch with counted records that was handed out. */
  #last: SourceBatch | undefined;

  constructor(shared: SharedSource) {
    this.#shared = shared;
  }

  /** One of its own, outside of the window. */
  get session(): Source | undefined {
    return this.#session;
  }

  get hasSlots(): boolean {
    return (this.#session ?? this.#window?.session)?.hasSlots === true;
  }

  async open(start: StartPoint, signal: AbortSignal): Promise<void> {
    await this.#leave();
    this.#start = start;
    this.#last = undefined;
    this.#take(await this.#shared.place(start, signal));
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#session !== undefined) return await this.#pullAlone(this.#session, limit, signal);
      const window = this.#window;
      if (window === undefined) return null;
      if (!window.has(this.#at)) {
        this.#window = undefined;
        this.#session = await this.#shared.openSession(this.#here, signal);
        continue;
      }
      const batches = window.pullAt(this.#at);
      if (batches !== undefined) {
        this.#at++;
        const fresh = this.#withoutHandedOut(batches);
        if (fresh.length === 0) continue;
        this.#note(fresh);
        return { batches: fresh, latestSequence: window.latestSequence };
      }
      const pulled = await orGivenUp(window.advance(limit), signal);
      if (window.isClosed) continue;
      if (pulled === null) return null;
      if (pulled.batches.length === 0) return pulled;
    }
  }

  newestPosition(signal: AbortSignal): Promise<Position | null | undefined> {
    return this.#shared.newestPosition(signal);
  }

  async acknowledge(position: Position): Promise<void> {
    await this.#shared.acknowledge(position);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave();
  }

  #take(place: Place): void {
    if ('session' in place) {
      this.#session = place.session;
      return;
    }
    this.#window = place.window;
    this.#at = place.at;
  }

  /** Pulls by the session of its own, and goes back to the window when that has what comes next. */
  async #pullAlone(session: Source, limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    const pulled = await session.pull(limit, signal);
    if (pulled === null) return null;
    this.#note(pulled.batches);
    if (pulled.batches.length > 0 && this.#last !== undefined) await this.#join(session, pulled, this.#last);
    return pulled;
  }

  async #join(session: Source, pulled: Pulled, last: SourceBatch): Promise<void> {
    const window = this.#shared.head;
    if (window === undefined) {
      this.#window = this.#shared.adopt(session, positionOf(last));
      this.#at = 0;
      this.#session = undefined;
      return;
    }
    // Ahead of the window by more than one pull it stays alone: the window's end may move slowly.
    if (pulled.batches[0].sequence > window.nextSequence) return;
    const at = window.findSequence(lastSequenceOf(last) + 1);
    if (at === undefined) return;
    await this.#leave();
    this.#take({ window, at });
  }

  async #leave(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#window = undefined;
    await session?.[Symbol.asyncDispose]();
  }

  get #here(): StartPoint {
    return this.#last === undefined ? this.#start : { kind: 'after', position: positionOf(this.#last) };
  }

  #note(batches: readonly SourceBatch[]): void {
    this.#last = batches.findLast(({ count }) => count > 0) ?? this.#last;
  }

  /** Leaves out what was handed out before the cursor came (back) to the window. */
  #withoutHandedOut(batches: readonly SourceBatch[]): readonly SourceBatch[] {
    const next = this.#nextSequence;
    if (next === undefined || batches[0].sequence >= next) return batches;
    return batches.filter(({ sequence }) => sequence >= next);
  }

  get #nextSequence(): number | undefined {
    if (this.#last !== undefined) return lastSequenceOf(this.#last) + 1;
    return this.#start.kind === 'after' ? this.#start.position.sequence + 1 : undefined;
  }
}
