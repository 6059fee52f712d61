import { columnFamilyNames } from './column-family.js';
import type { StoreData } from './store-data.js';
import type { Wal } from './wal/index.js';

/** Sizes and numbers of an open store. */
export interface EngineStats {
  readonly sequence: number;
  readonly durableSequence: number;
  readonly firstLogSequence: number;
  readonly logSegments: number;
  readonly logBytes: number;
  readonly pendingBytes: number;
  readonly snapshots: number;
  /** Last sequence number in the data file: the log behind it is replayed at open. */
  readonly flushedSequence: number;
  /** Size of the data file; how much of it is used by the newest state, and by older ones that are held. */
  readonly dataBytes: number;
  readonly liveBytes: number;
  readonly retainedBytes: number;
  /** Keys by column family name, garbage that reading rules hide included. */
  readonly keys: Readonly<Record<string, number>>;
  /** Memory outside the JavaScript heap, by owner. */
  readonly memoryBytes: {
    readonly memtable: number;
    readonly logBuffer: number;
    readonly pageCache: number;
    readonly space: number;
  };
}

export const statsOf = (wal: Wal, data: StoreData, sequence: number): EngineStats => {
  const { segments } = wal;
  const space = data.trees?.space;
  const unitBytes = space?.unitBytes ?? 0;
  return {
    sequence,
    durableSequence: wal.durableSequence,
    firstLogSequence: wal.firstSequence,
    logSegments: segments.length,
    logBytes: segments.reduce((total, segment) => total + segment.durableBytes, 0),
    pendingBytes: wal.pendingBytes,
    snapshots: data.openSnapshots,
    flushedSequence: data.flushedSequence,
    dataBytes: (space?.units ?? 0) * unitBytes,
    liveBytes: (space?.liveUnits ?? 0) * unitBytes,
    retainedBytes: (space?.retainedUnits ?? 0) * unitBytes,
    keys: Object.fromEntries(columnFamilyNames.map((name, id) => [name, data.entriesOf(id)])),
    memoryBytes: {
      memtable: data.memtableBytes,
      logBuffer: wal.pendingBytes,
      pageCache: data.trees?.cacheByteLength ?? 0,
      space: space?.byteLength ?? 0,
    },
  };
};
