import { TailraceError } from '../errors/index.js';
import type { Files } from '../files/index.js';
import { CheckedBatch } from './checked-batch.js';
import type { StoreCheckpoints } from './checkpoints/index.js';
import { defaultSegmentBytes, defaultSyncIntervalMs, type EngineOptions } from './engine-options.js';
import type { StoreData } from './store-data.js';
import { Wal } from './wal/index.js';

/** Opens the log and replays what the data file does not hold. */
export const openLog = async (
  directory: string,
  data: StoreData,
  checkpoints: StoreCheckpoints,
  files: Files,
  options: EngineOptions,
): Promise<Wal> => {
  const flushed = data.flushedSequence;
  const batch = new CheckedBatch();
  let expected = flushed + 1;
  const wal = await Wal.open(
    directory,
    {
      sync: options.sync ?? 'always',
      syncIntervalMs: options.syncIntervalMs ?? defaultSyncIntervalMs,
      segmentBytes: options.segmentBytes ?? segmentBytesWithin(options.retention?.maxBytes),
      isReadOnly: options.isReadOnly ?? false,
      files,
      replayAfter: flushed,
    },
    (bytes, sequence) => {
      if (expected !== sequence) throw beginsLater(directory, expected, sequence);
      batch.read(bytes);
      expected = sequence + batch.count;
      data.apply(batch, sequence, batch.bytes.length);
      checkpoints.onReplayed(expected - 1);
      data.freezeIfFull(expected - 1);
    },
  );
  if (wal.nextSequence <= flushed) {
    await wal.close();
    throw endsBefore(directory, flushed, wal.nextSequence - 1);
  }
  return wal;
};

/** Whole segments are removed: a small bound on the log is kept by small ones. */
const segmentBytesWithin = (maxLogBytes = Number.POSITIVE_INFINITY): number =>
  Math.max(leastSegmentBytes, Math.min(defaultSegmentBytes, Math.floor(maxLogBytes / 4)));

const leastSegmentBytes = 256 * 1024;

const beginsLater = (directory: string, expected: number, found: number): TailraceError =>
  new TailraceError(
    'WAL_GAP',
    `the log in ${directory} goes on at sequence number ${found}, the data ends before ${expected}`,
    {
      context: { file: directory, expected, found },
      remedy: 'Log files, or the data file, are missing: restore them from a backup.',
    },
  );

const endsBefore = (directory: string, expected: number, found: number): TailraceError =>
  new TailraceError(
    'WAL_GAP',
    `the log in ${directory} ends at sequence number ${found}, but the data file holds ${expected}`,
    {
      context: { file: directory, expected, found },
      remedy: 'The newest log files are missing: restore them from a backup.',
    },
  );
