import { randomUUID } from 'node:crypto';
import type { Files } from '../../files/index.js';
import type { Snapshot } from '../engine-api.js';
import type { StoreData } from '../store-data.js';
import type { HeldState, TreeState, TreeStore } from '../tree/index.js';
import { type Checkpoint, type CheckpointEntry, type CheckpointInfo, isExpired } from './checkpoint.js';
import type { CheckpointCatalog, CheckpointList } from './checkpoint-catalog.js';
import { type Exported, exportState } from './checkpoint-export.js';
import { expired, missing, nameTaken, notOlder, notWritten, readOnly } from './checkpoint-faults.js';
import { findCheckpoint } from './checkpoint-reference.js';
import type { Checkpoints, CreateOptions, ListFilter, RefreshOptions } from './checkpoints.js';
import { HeldCheckpoint, publicPart } from './held-checkpoint.js';
import { lifetimeFrom, requireLifetime } from './lifetime.js';
import { type Restored, restoreState } from './restore.js';

/** What checkpoints need of the store they belong to, once it is open for writing. */
export interface CheckpointHost {
  /** The last sequence number that was committed. */
  sequence(): number;
  /** The last one up to which the log is durable. */
  syncedSequence(): number;
  /** Makes the log durable up to a sequence number. */
  syncLog(sequence: number): Promise<void>;
  /** Throws unless the store can be written. */
  requireWritable(): void;
  /** The catalog could not be written: the store must take no more writes. */
  onFailure(cause: unknown): void;
}

/** How checkpoints come back with the store, and follow its replay and its flushes; see `Checkpoints`. */
export class StoreCheckpoints implements Checkpoints {
  readonly #storeId: string;
  readonly #data: StoreData;
  readonly #files: Files;
  readonly #nowMs: () => number;
  readonly #catalog: CheckpointCatalog;
  readonly #entries = new Map<string, HeldCheckpoint>();
  /** Those that are taken out of the list. Should the store stop before that is durable, they are found in it again. */
  readonly #leaving = new Set<HeldCheckpoint>();
  /** Sequence numbers of checkpoints that must be made again by the replay. */
  readonly #replayStops = new Set<number>();
  /** Up to where the log was durable when the catalog was written. */
  #listedLog = 0;
  /** Up to where the log was found to be there. */
  #recoveredLog = 0;
  readonly #copies = new Set<Promise<unknown>>();
  #host: CheckpointHost | undefined;
  #reaper: NodeJS.Timeout | undefined;

  constructor(
    storeId: string,
    data: StoreData,
    catalog: CheckpointCatalog,
    files: Files,
    nowMs: () => number,
  ) {
    this.#storeId = storeId;
    this.#data = data;
    this.#catalog = catalog;
    this.#files = files;
    this.#nowMs = nowMs;
  }

  /** Takes up what the catalog holds; `held` are its states. Before the log is replayed. */
  load({ checkpoints, logSequence }: CheckpointList, held: readonly HeldState[]): void {
    this.#listedLog = logSequence;
    for (const entry of checkpoints) {
      const pages = held.find(({ state: { epoch } }) => epoch === entry.state?.epoch);
      this.#entries.set(entry.id, HeldCheckpoint.reopened(this.#data, entry, pages));
    }
    for (const { pin } of held) pin.release();
    // What the trees stand at is taken from them in the end, whatever batches without a sequence number come behind it.
    for (const { entry, isThere } of this.#entries.values())
      if (!isThere && !this.#data.isFlushedTo(entry.sequence)) this.#replayStops.add(entry.sequence);
    if (this.#data.trees?.state.space === undefined) this.onReplayed(0);
  }

  /** Called after each batch that is replayed: where a checkpoint was made, the memtables are frozen again. */
  onReplayed(sequence: number): void {
    if (!this.#replayStops.delete(sequence)) return;
    const waiting = this.#waitingFor(sequence);
    this.#data.freezeAt(sequence);
    for (const checkpoint of waiting) checkpoint.freeze();
  }

  /**
   * When the log is replayed, which ends with `lastSequence`. Checkpoints that were being made when the store stopped, and
   * that the log does not reach, are forgotten.
   * @throws `STORE_CORRUPT` when there is a checkpoint whose data is not there
   */
  async finishLoad(lastSequence: number, isReadOnly: boolean): Promise<void> {
    const { trees, flushedSequence } = this.#data;
    this.#recoveredLog = lastSequence;
    let hasChanged = false;
    for (const checkpoint of this.#entries.values()) {
      const { entry, isThere } = checkpoint;
      if (isThere) continue;
      hasChanged = true;
      if (trees !== undefined && entry.sequence === flushedSequence) checkpoint.settle();
      else if (entry.sequence > Math.max(lastSequence, this.#listedLog)) this.#entries.delete(entry.id);
      else throw missing(entry);
    }
    if (isReadOnly) return;
    await this.#catalog.open(this.#list);
    // Before the trees move on: a checkpoint that is not in them must still be in the log. And before its sequence
    // number is given to something else: one that is forgotten must not be found again.
    if (hasChanged) await this.#write();
  }

  /** From now on checkpoints can be made, and expired ones are removed. */
  start(host: CheckpointHost): void {
    this.#host = host;
    this.#reaper = setInterval(() => void this.reap().catch(() => {}), reapMs).unref(); // a failed write fails the store
  }

  /** True when a checkpoint was made at a sequence number that the trees have not reached. */
  isWaitedFor(sequence: number): boolean {
    return this.#waitingFor(sequence).length > 0;
  }

  /**
   * A state has become durable: the checkpoints that were made there are held from now on by their pages alone.
   * The next state must not begin before this resolves.
   */
  async onState({ sequence }: TreeState): Promise<void> {
    const waiting = this.#waitingFor(sequence);
    if (waiting.length === 0) return;
    for (const checkpoint of waiting) checkpoint.settle();
    await this.#write();
  }

  async create(options: CreateOptions = {}): Promise<Checkpoint> {
    await this.#data.flush.whenFreezable();
    const host = this.#writable();
    const now = this.#nowMs();
    requireLifetime(options.lifetimeMs);
    const namesakes = [...this.#entries.values()].filter(
      ({ entry }) => options.name !== undefined && entry.name === options.name && !isExpired(entry, now),
    );
    if (options.ifNameExists === 'refuse' && namesakes.length > 0) throw nameTaken(namesakes[0].entry);
    const source = options.source === undefined ? undefined : this.#live(options.source);
    const common = {
      id: randomUUID(),
      name: options.name ?? null,
      created: new Date(now).toISOString(),
      ...lifetimeFrom(now, options.lifetimeMs ?? null),
      generation: 1,
      holdsLog: options.holdsLog ?? false,
      labels: options.labels ?? {},
      creator: options.creator ?? 'api',
    };
    const created =
      source === undefined
        ? HeldCheckpoint.atNewest(this.#data, { ...common, sequence: host.sequence() })
        : source.copied(common);
    this.#entries.set(common.id, created);
    const syncedLog = host.syncLog(created.entry.sequence);
    if (options.ifNameExists === 'replace') await this.#remove(namesakes, syncedLog);
    // Side by side, if the list may be there without the log: should the store stop then, it is as if nothing was made.
    else await Promise.all([syncedLog, this.#write()]);
    return publicPart(created.entry);
  }

  async refresh(reference: string, options: RefreshOptions = {}): Promise<Checkpoint> {
    const host = this.#writable();
    const previous = this.#live(reference);
    const { entry } = previous;
    const lifetimeMs = options.lifetimeMs === undefined ? entry.lifetimeMs : options.lifetimeMs;
    requireLifetime(lifetimeMs ?? undefined);
    const renewed = { ...entry, ...lifetimeFrom(this.#nowMs(), lifetimeMs) };
    if (!options.isAdvanced) {
      previous.entry = renewed;
      await this.#write();
      return publicPart(renewed);
    }
    const advanced = HeldCheckpoint.atNewest(this.#data, {
      ...renewed,
      generation: entry.generation + 1,
      sequence: host.sequence(),
    });
    this.#entries.set(entry.id, advanced);
    await this.#remove([previous], host.syncLog(advanced.entry.sequence));
    return publicPart(advanced.entry);
  }

  list(filter: ListFilter = {}): CheckpointInfo[] {
    const nowMs = this.#nowMs();
    // Wanted or not is known before it is described: what each alone holds is counted page by page.
    return [...this.#entries.values()]
      .filter(
        ({ entry }) =>
          (filter.name === undefined || entry.name === filter.name) &&
          (filter.state === undefined || isExpired(entry, nowMs) === (filter.state === 'expired')) &&
          Object.entries(filter.labels ?? {}).every(([key, value]) => entry.labels[key] === value),
      )
      .map((checkpoint) => checkpoint.describe(nowMs))
      .sort((a, b) => b.sequence - a.sequence || b.created.localeCompare(a.created));
  }

  show(reference: string): CheckpointInfo {
    return this.#find(reference).describe(this.#nowMs());
  }

  async delete(reference: string): Promise<Checkpoint> {
    this.#writable();
    const checkpoint = this.#find(reference);
    await this.#remove([checkpoint]);
    return publicPart(checkpoint.entry);
  }

  open(reference: string): Snapshot {
    return this.#live(reference).open();
  }

  async restore(reference: string, directory: string): Promise<Restored> {
    return this.#copy([reference], (trees, [{ pages }]) =>
      restoreState(trees, this.#storeId, pages, directory, this.#files),
    );
  }

  async export(reference: string, file: string, options: { readonly base?: string } = {}): Promise<Exported> {
    const references = options.base === undefined ? [reference] : [reference, options.base];
    return this.#copy(references, async (trees, [{ entry, pages }, base]) => {
      if (base !== undefined && base.pages.state.epoch > pages.state.epoch) throw notOlder(base.entry, entry);
      return exportState(trees, this.#storeId, publicPart(entry), pages, base?.pages, file, this.#files);
    });
  }

  get logHolds(): readonly { readonly name: string; readonly from: number }[] {
    const now = this.#nowMs();
    return [...this.#entries.values()]
      .filter(({ entry }) => entry.holdsLog && !isExpired(entry, now))
      .map(({ entry }) => ({ name: entry.name ?? entry.id, from: Math.max(1, entry.sequence) }));
  }

  async reap(): Promise<number> {
    const now = this.#nowMs();
    const expired = [...this.#entries.values()].filter(({ entry }) => isExpired(entry, now));
    if (expired.length === 0) return 0;
    await this.#remove(expired);
    return expired.length;
  }

  /** Stops reaping, and waits for what is being written; copies have failed when the data is closed. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#reaper);
    await Promise.allSettled(this.#copies);
    await this.#catalog.close();
  }

  /** Copies what live checkpoints have in the data file, once all of it is there, and holds it meanwhile. */
  async #copy<Copied>(
    references: readonly string[],
    copy: (trees: TreeStore, checkpoints: readonly WrittenCheckpoint[]) => Promise<Copied>,
  ): Promise<Copied> {
    const found = references.map((reference) => this.#live(reference));
    if (found.some(({ pages }) => pages === undefined)) await this.#data.flush.whenFlushed();
    const { trees } = this.#data;
    const written = found.map(({ entry: { id } }) => {
      const { entry, pages } = this.#live(id);
      if (pages === undefined) throw notWritten(entry);
      return { entry, pages };
    });
    if (trees === undefined) throw notWritten(written[0].entry);
    for (const { pages } of written) pages.pin.retain();
    const copying = copy(trees, written).finally(() => {
      this.#copies.delete(copying);
      for (const { pages } of written) trees.release(pages);
    });
    this.#copies.add(copying);
    return copying;
  }

  /** Takes checkpoints out of the list, and lets go of what they held when that is durable. */
  async #remove(checkpoints: readonly HeldCheckpoint[], syncedLog?: Promise<void>): Promise<void> {
    for (const checkpoint of checkpoints) {
      this.#leaving.add(checkpoint);
      const { id } = checkpoint.entry;
      if (this.#entries.get(id) === checkpoint) this.#entries.delete(id); // unless it was advanced
    }
    await this.#write(syncedLog);
    for (const checkpoint of checkpoints) {
      this.#leaving.delete(checkpoint);
      checkpoint.release();
    }
  }

  /** The checkpoints at a sequence number that are not in the trees yet, and that a list on disk may tell of. */
  #waitingFor(sequence: number): HeldCheckpoint[] {
    return [...this.#entries.values(), ...this.#leaving].filter(
      ({ entry, pages }) => pages === undefined && entry.sequence === sequence,
    );
  }

  #writable(): CheckpointHost {
    if (this.#host === undefined) throw readOnly();
    this.#host.requireWritable();
    return this.#host;
  }

  #find(reference: string): HeldCheckpoint {
    return findCheckpoint([...this.#entries.values()], reference, this.#nowMs());
  }

  #live(reference: string): HeldCheckpoint {
    const checkpoint = this.#find(reference);
    if (isExpired(checkpoint.entry, this.#nowMs())) throw expired(checkpoint.entry);
    return checkpoint;
  }

  get #list(): CheckpointList {
    return {
      checkpoints: [...this.#entries.values()].map(({ entry }) => entry),
      logSequence: this.#host?.syncedSequence() ?? this.#recoveredLog,
    };
  }

  /** Makes the list durable, once the log is of which it must not be ahead. */
  async #write(syncedLog?: Promise<void>): Promise<void> {
    try {
      await this.#catalog.write(this.#list, syncedLog);
    } catch (cause) {
      // What the file holds now is unknown; pages that the old list refers to must not be given away.
      this.#host?.onFailure(cause);
      throw cause;
    }
  }
}

/** One whose data is all in the data file. */
interface WrittenCheckpoint {
  readonly entry: CheckpointEntry;
  readonly pages: HeldState;
}

const reapMs = 10_000;
