import { type Change, type Transaction, withChanges } from '../data-model/index.js';
import { TailraceError } from '../errors/index.js';
import type { KeyImage } from './key-image.js';
import { type KeyPlace, placeName, placeOf } from './key-place.js';
import { joinRuns, type KeyPart, type WholePart } from './key-reader.js';

/** What a snapshot has covered of the source: enough to go on with. */
export interface CoverageState {
  /** The walk has read every key up to this; undefined = none yet, or all when `isComplete`. */
  readonly place: KeyPlace | undefined;
  readonly isComplete: boolean;
  /** Names of keys behind the walk whose state in the target is not that of the log: they are to be read again. */
  readonly pending: readonly string[];
  /** Names of keys that cannot be read, and so are left out until a change replaces them wholly. */
  readonly leftOut: readonly string[];
}

/** Which keys are copied at all. */
export interface Scope {
  /** undefined = every namespace. */
  readonly namespaces: ReadonlySet<string> | undefined;
  /** Names of keys that are left alone. */
  readonly excluded: ReadonlySet<string>;
}

/**
 * Decides which changes of the log count for the target, and which images of keys.
 *
 * Maintained: the target holds every covered key exactly as it is at the log's position. A key is covered when the walk
 * has passed it and it is not pending. Changes of covered keys are delivered; others are dropped, since the key's
 * image, read later, has them in it. So each change takes effect once: by the log or by the image. Lists need this: a
 * push that is replayed onto a list which was read later would double.
 *
 * An image counts when the log shows no change of its key between the moment before the read and the moment behind it;
 * otherwise the key becomes pending and is read again. A change that replaces the whole key (a delete, a string put) makes
 * the key covered by itself. A change of a covered key that the log alone does not tell makes it pending. So does an expiry
 * that has passed when it is delivered: the target would drop the key at once, and what the log changes of it behind that,
 * before its time at the source, would find nothing there.
 */
export class Coverage {
  readonly #scope: Scope;
  #place: KeyPlace | undefined;
  #isComplete: boolean;
  readonly #pending: Set<string>;
  readonly #leftOut: Set<string>;
  #part: KeyPart | undefined;
  #imageNames: Set<string> | undefined;
  /** Keys that the log has changed since the part was read: their images are out of date. */
  readonly #touched = new Set<string>();
  /** Keys of the part's range that the log has replaced wholly: covered from then on. */
  readonly #won = new Set<string>();
  #isCleared = false;

  constructor(state: CoverageState, scope: Scope) {
    this.#scope = scope;
    this.#place = state.place;
    this.#isComplete = state.isComplete;
    this.#pending = new Set(state.pending);
    this.#leftOut = new Set(state.leftOut);
  }

  get state(): CoverageState {
    const pending = [...this.#pending];
    return { place: this.#place, isComplete: this.#isComplete, pending, leftOut: [...this.#leftOut] };
  }

  /** True when the walk has passed all keys; some may still be pending. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get place(): KeyPlace | undefined {
    return this.#place;
  }

  get pending(): ReadonlySet<string> {
    return this.#pending;
  }

  isInScope(image: KeyImage): boolean {
    const isNamed = this.#isNamed(image.changes[0].ns);
    return isNamed && (this.#scope.excluded.size === 0 || !this.#scope.excluded.has(placeName(image.place)));
  }

  /** From now on the log is read towards the moment `part.high`, at which the part is delivered. */
  begin(part: KeyPart): void {
    this.#part = part;
    this.#imageNames = undefined;
    this.#touched.clear();
    this.#won.clear();
    this.#isCleared = false;
  }

  /** Gives the part up: it must be read again. */
  abandon(): void {
    this.#part = undefined;
    this.#won.clear();
  }

  /** The transaction with those changes alone that count. @throws TailraceError for what no reading again can mend */
  filter(transaction: Transaction): Transaction {
    const lost = transaction.undecodable.length === 0 ? noNames : lostKeys(transaction);
    const { changes } = transaction;
    let at = 0;
    while (at < changes.length && this.#counts(changes[at], lost)) at++;
    if (at < changes.length) {
      const counting = changes.slice(0, at);
      for (at++; at < changes.length; at++) if (this.#counts(changes[at], lost)) counting.push(changes[at]);
      for (const name of lost) this.#lose(name);
      return withChanges(transaction, counting, []);
    }
    for (const name of lost) this.#lose(name);
    return lost === noNames ? transaction : withChanges(transaction, changes, []);
  }

  /** `finish` for a part that counts as it is, without looking at its images: the usual case. undefined when it does not. */
  finishWhole(): WholePart | undefined {
    const part = this.#part;
    if (part?.whole === undefined || part.unsettled.length > 0 || this.#isCleared) return undefined;
    const isSimple = this.#touched.size === 0 && this.#pending.size === 0 && this.#leftOut.size === 0;
    if (!isSimple || this.#scope.excluded.size > 0) return undefined;
    this.#end(part);
    if (part.whole.runs.every(({ ns }) => this.#isNamed(ns))) return part.whole;
    return joinRuns(part.whole.runs.filter(({ ns }) => this.#isNamed(ns)));
  }

  /**
   * Ends the part, the log having been read through its `high`: gives the images that count. Keys that changed meanwhile
   * become pending, and the walk stands at the part's end.
   */
  finish(): readonly KeyImage[] {
    const part = this.#part;
    if (part === undefined) throw new RangeError('no part was begun');
    const counting: KeyImage[] = [];
    for (const image of part.images) {
      const isFresh =
        !this.#isCleared && (this.#touched.size === 0 || !this.#touched.has(placeName(image.place)));
      if (isFresh && this.isInScope(image)) counting.push(image);
      if (isFresh) this.#settle(image);
      else this.#touched.add(placeName(image.place));
    }
    for (const place of part.unsettled) this.#touched.add(placeName(place));
    for (const name of this.#touched)
      if (this.#isReached(name) && !this.#isCovered(name) && !this.#leftOut.has(name))
        this.#pending.add(name);
    this.#end(part);
    return counting;
  }

  #end(part: KeyPart): void {
    this.#part = undefined;
    if (part.walk === undefined) return;
    this.#place = part.walk.end;
    this.#isComplete = part.walk.end === undefined;
  }

  #isNamed(ns: string): boolean {
    return this.#scope.namespaces?.has(ns) ?? true;
  }

  #settle(image: KeyImage): void {
    if (this.#pending.size === 0 && this.#leftOut.size === 0 && image.unsupported === undefined) return;
    const name = placeName(image.place);
    this.#pending.delete(name);
    if (image.unsupported === undefined) this.#leftOut.delete(name);
    else this.#leftOut.add(name);
  }

  #counts(change: Change, lost: ReadonlySet<string>): boolean {
    if (change.op === 'publish' || change.op === 'propagate') return false;
    if (change.op === 'clear') return this.#clear(change);
    if (!this.#isNamed(change.ns)) return false;
    if (isOver(change)) {
      this.#lose(placeName(placeOf(change.ns, change.key)));
      return false;
    }
    const isAllCovered =
      this.#isComplete && this.#pending.size === 0 && this.#leftOut.size === 0 && this.#part === undefined;
    if (isAllCovered && lost.size === 0 && this.#scope.excluded.size === 0) return true;
    const name = placeName(placeOf(change.ns, change.key));
    if (this.#scope.excluded.has(name)) return false;
    if (this.#part !== undefined && change.seq > this.#readAt(name)) this.#touched.add(name);
    if (lost.has(name)) return false;
    if (this.#isCovered(name)) return true;
    if (!isWhole(change) || !this.#isReached(name)) return false;
    const wasPending = this.#pending.delete(name);
    const wasLeftOut = this.#leftOut.delete(name);
    if (!wasPending && !wasLeftOut) this.#won.add(name);
    return true;
  }

  /** Everything of the namespace is gone at the target too, whatever was covered; what was read before is out of date. */
  #clear(change: Extract<Change, { op: 'clear' }>): boolean {
    if (change.type !== 'all' && !this.#isNamed(change.ns)) return false;
    if (this.#part !== undefined && change.seq > this.#part.rangeLow) this.#isCleared = true;
    this.#leftOut.clear();
    return true;
  }

  /** What becomes of the key cannot be told from the log: it must be read again. */
  #lose(name: string): void {
    if (this.#scope.excluded.has(name)) return;
    if (this.#isCovered(name)) {
      this.#won.delete(name);
      if (this.#isBehindWalk(name)) this.#pending.add(name);
    }
    if (this.#part !== undefined) this.#touched.add(name);
  }

  #isCovered(name: string): boolean {
    const isCopied = this.#isBehindWalk(name) && !this.#pending.has(name) && !this.#leftOut.has(name);
    return isCopied || this.#won.has(name);
  }

  /** Covered, pending, or within the part's range. */
  #isReached(name: string): boolean {
    if (this.#isBehindWalk(name)) return true;
    const walk = this.#part?.walk;
    return walk !== undefined && (walk.end === undefined || name <= placeName(walk.end));
  }

  #isBehindWalk(name: string): boolean {
    return this.#isComplete || (this.#place !== undefined && name <= placeName(this.#place));
  }

  #readAt(name: string): number {
    const part = this.#part;
    if (part === undefined) return 0;
    this.#imageNames ??= new Set(part.images.map((image) => placeName(image.place)));
    return this.#imageNames.has(name) ? part.low : part.rangeLow;
  }
}

/** The keys of which the transaction holds changes that cannot be told. */
const lostKeys = (transaction: Transaction): ReadonlySet<string> => {
  const names = new Set<string>();
  for (const { ns, key, code, reason, seq } of transaction.undecodable) {
    if (ns === undefined || key === undefined)
      throw new TailraceError(code, `sequence number ${seq} cannot be decoded: ${reason}`, {
        context: { sequence: seq },
        remedy: 'The change names no key that could be read again: start over when it is done.',
      });
    names.add(placeName(placeOf(ns, key)));
  }
  return names;
};

/** True for a change behind which the key is known wholly. */
const isWhole = (change: Change): boolean =>
  (change.op === 'delete' && change.type === 'key') ||
  (change.op === 'put' && (change.type === 'string' || change.type === 'json'));

/** True for an expiry that has passed by now, if not at the source when it was written. */
const isOver = (change: Change): boolean =>
  change.op === 'expire' && change.ttlAt !== undefined && change.ttlAt <= Date.now();

const noNames: ReadonlySet<string> = new Set();
