import type { RecordsRun } from '../data-model/index.js';
import type { KeyImage } from './key-image.js';
import type { KeyPlace } from './key-place.js';

/**
 * Keys that were read between two moments of the source. Each image holds what its key was at some moment from `low` to
 * `high`; so an image whose key has no change in the log from `low + 1` to `high` is what the key is at `high`.
 */
export interface KeyPart {
  readonly images: readonly KeyImage[];
  /** The images as they came, where none is unsupported: for those who take all of a namespace or nothing. */
  readonly whole: WholePart | undefined;
  /** The records of them as they came, where those are a page of the walk and nothing else. */
  readonly records?: Buffer | undefined;
  /** The part of the walk: keys from behind the last part's end up to `end` (undefined = to the end of all keys). */
  readonly walk: { readonly end: KeyPlace | undefined } | undefined;
  /** A key of the walked range that has no image did not exist at some moment from here to `high`. */
  readonly rangeLow: number;
  readonly low: number;
  /** The newest write that a read can have seen. */
  readonly high: number;
  /** Keys that changed while they were read, so that there is no image of them although they may exist. */
  readonly unsettled: readonly KeyPlace[];
  /** True when everything in it was durable at the source when it was read; default: that is not known. */
  readonly isDurable?: boolean;
  /** Which connection it was read by. */
  readonly session: number;
}

/** The images of a part, not cut into keys. */
export interface WholePart {
  readonly runs: readonly RecordsRun[];
  readonly keys: number;
  readonly byteLength: number;
}

export const joinRuns = (runs: readonly RecordsRun[]): WholePart => ({
  runs,
  keys: runs.reduce((total, run) => total + run.keys, 0),
  byteLength: runs.reduce((total, run) => total + run.byteLength, 0),
});

/** How much a part may hold. */
export interface PartLimit {
  readonly maxKeys: number;
  /** A soft limit. */
  readonly maxBytes: number;
  /** True when the reads are paced: then nothing is read before it is asked for. */
  readonly isPaced?: boolean;
}

/**
 * Reads the keys of a source over the network. One call at a time. A lost connection is an error of the call, or
 * `isSameSession` answers false; then what was read may never become durable at the source, and must be read again.
 */
export interface KeyReader extends AsyncDisposable {
  /** False: the default namespace alone. */
  readonly readsEveryNamespace: boolean;
  /**
   * Reads on behind `after` (undefined = from the first key), and besides it the keys `again`.
   * @throws TailraceError `SOURCE_UNREACHABLE` (may be tried again) | `SOURCE_REFUSED` | `SOURCE_UNSUPPORTED` | `LIMIT_EXCEEDED`
   */
  read(
    after: KeyPlace | undefined,
    again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart>;
  /** Reads these keys alone; `isExact` stops the source's other clients for as long as it takes, where that is needed. */
  readKeys(places: readonly KeyPlace[], isExact: boolean, signal: AbortSignal): Promise<KeyPart>;
  /** True when the connection that the part was read by still stands: the source has not been restarted since. */
  isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean>;
}
