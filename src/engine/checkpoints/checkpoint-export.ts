import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fstatSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import {
  describeHolder,
  type Files,
  inaccessible,
  makeDirectory,
  nodeFiles,
  openToRead,
  ProcessLock,
  refusePipe,
  temporaryPath,
  withFile,
} from '../../files/index.js';
import { otherFormat } from '../other-format.js';
import type { SpacePin } from '../space/index.js';
import { openIdentity, writeIdentity } from '../store-identity.js';
import {
  encodeSuperblock,
  type HeldState,
  readSuperblock,
  type TreeState,
  type TreeStore,
} from '../tree/index.js';
import { listSegmentFiles } from '../wal/index.js';
import type { Checkpoint } from './checkpoint.js';
import { GatheredOutput } from './gathered-output.js';
import { usedRuns } from './restore.js';
import { ScatteredOutput } from './scattered-output.js';

/**
 * A checkpoint in a file of its own: all units that it uses, or only those that a base checkpoint does not.
 *
 *   0          8              12
 *   | TRCKPT01 | headerLength | header (JSON) | run … | end |
 *     8 bytes    u32 LE
 *
 *   run   u32 first unit │ u32 units │ u32 CRC-32 of both and the bytes │ bytes
 *   end   u32 0xffffffff │ u32 number of runs │ u32 CRC-32 of the header
 */
interface ExportHeader {
  readonly format: number;
  readonly unitBytes: number;
  readonly storeId: string;
  readonly checkpoint: Checkpoint;
  readonly state: TreeState;
  /** What a store must hold for the file to be applied to it; null = nothing: the file is whole by itself. */
  readonly base: TreeState | null;
}

/** What was written to a file, or taken from one. */
export interface Exported {
  readonly file: string;
  readonly sequence: number;
  /** Sequence number of the base, null for a whole checkpoint. */
  readonly baseSequence: number | null;
  readonly bytes: number;
}

/** Writes a held checkpoint to a new file; with a base, only what was written since. */
export const exportState = async (
  trees: TreeStore,
  storeId: string,
  checkpoint: Checkpoint,
  held: HeldState,
  base: HeldState | undefined,
  path: string,
  files: Files,
): Promise<Exported> => {
  const { unitBytes } = trees.space;
  const header: ExportHeader = {
    format: exportFormat,
    unitBytes,
    storeId,
    checkpoint,
    state: held.state,
    base: base?.state ?? null,
  };
  const json = Buffer.from(JSON.stringify(header));
  let bytes = 0;
  await withFile(files, path, 'wx', async (fd) => {
    try {
      await using output = new GatheredOutput(files, fd);
      await output.add(Buffer.concat([Buffer.from(magic, 'latin1'), u32s(json.length), json]));
      let runs = 0;
      for (const { start, length } of base === undefined
        ? usedRuns(trees, held.pin)
        : writtenRuns(trees, base.pin, held.pin)) {
        const run = await output.next(runHeadBytes + length * unitBytes);
        const units = run.subarray(runHeadBytes);
        trees.file.readPages(start, length, units);
        run.writeUInt32LE(start, 0);
        run.writeUInt32LE(length, 4);
        run.writeUInt32LE(crc32(units, crc32(run.subarray(0, 8))), 8);
        runs++;
      }
      await output.add(u32s(endMark, runs, crc32(json)));
      await output.finish();
      bytes = output.bytes;
      await files.datasync(fd);
      await files.syncDirectory(dirname(path));
    } catch (cause) {
      await files.remove(path).catch(() => undefined); // a part of it helps nobody, and would refuse the next attempt
      throw cause;
    }
  });
  return { file: path, sequence: held.state.sequence, baseSequence: base?.state.sequence ?? null, bytes };
};

/**
 * Makes a store of an exported checkpoint, in a new directory or, when the file has a base, in one that holds exactly
 * that base: restored from it and not written to since. The store is not open meanwhile; should it end in the middle,
 * the store is as it was.
 * @throws TailraceError `STORE_CORRUPT` (the file) | `CHECKPOINT_IN_USE` (another base) | `STORE_LOCKED` | `FILE_INACCESSIBLE`
 */
export const applyCheckpointExport = async (
  target: string,
  file: string,
  files: Files = nodeFiles,
): Promise<Exported & { readonly storeId: string }> => {
  const directory = resolve(target);
  const reader = new ExportReader(file);
  try {
    reader.verify();
    makeDirectory(directory);
    const lock = await ProcessLock.acquire(join(directory, 'LOCK'), (holder) =>
      unfit(directory, `it is in use by ${describeHolder(holder)}`),
    );
    try {
      return { ...(await apply(directory, reader, files)), file };
    } finally {
      lock.release();
    }
  } finally {
    reader.close();
  }
};

const apply = async (
  directory: string,
  reader: ExportReader,
  files: Files,
): Promise<Exported & { storeId: string }> => {
  const { state, base, unitBytes, storeId: source } = reader.header;
  const path = join(directory, 'data');
  const isNew = !existsSync(join(directory, 'IDENTITY'));
  const current = isNew ? undefined : readSuperblock(path);
  if (isNew && readdirSync(directory).some((name) => !begun.has(name)))
    throw unfit(directory, 'it is not empty');
  if (base === null ? !isNew : !isSameState(current, base))
    throw unfit(
      directory,
      base === null
        ? 'it holds a store already'
        : `it does not hold the state at sequence number ${base.sequence}`,
    );
  if (listSegmentFiles(directory).length > 0 || existsSync(join(directory, 'CHECKPOINTS')))
    throw unfit(directory, 'it was opened for writing since it was restored');
  const identity = isNew ? undefined : await openIdentity(directory, files, false);
  // States of two stores may look alike, with the same units in use.
  if ((identity?.source ?? source) !== source) throw unfit(directory, 'it was made of another store');
  const storeId = identity?.id ?? randomUUID();
  let bytes = 0;
  await withFile(files, path, isNew ? 'w' : 'r+', async (fd) => {
    await using output = new ScatteredOutput(files, fd);
    for (const run of reader.runs()) {
      await output.write(run.bytes, run.unit * unitBytes);
      bytes += run.bytes.length;
    }
    await output.finish();
    await files.truncate(fd, Math.max(state.units, current?.units ?? 0) * unitBytes);
    await files.datasync(fd);
    // Into the slot that the present state does not stand in: until then that one is the newest whole one.
    const isSlotTaken = current !== undefined && ((current.epoch ^ state.epoch) & 1) === 0;
    const epoch = state.epoch + (isSlotTaken ? 1 : 0);
    await files.write(fd, encodeSuperblock({ ...state, epoch, storeId }), (epoch & 1) * unitBytes);
    await files.datasync(fd);
    // Whoever made the store may have been killed before its name was durable.
    if (!isNew) await files.syncDirectory(directory);
  });
  if (isNew) await writeIdentity(directory, files, storeId, source);
  return {
    file: reader.path,
    storeId,
    sequence: state.sequence,
    baseSequence: base?.sequence ?? null,
    bytes,
  };
};

/** What is in a directory to which the first export is being applied, also when that was killed. */
const begun: ReadonlySet<string> = new Set(['LOCK', 'data', temporaryPath('IDENTITY')]);

class ExportReader {
  readonly path: string;
  readonly header: ExportHeader;
  readonly #fd: number;
  readonly #size: number;
  readonly #start: number;

  constructor(path: string) {
    this.path = path;
    refusePipe(path);
    this.#fd = openToRead(path);
    try {
      this.#size = fstatSync(this.#fd).size;
      const head = this.#read(0, 12);
      if (head.toString('latin1', 0, 8) !== magic) throw this.#damaged(0, 'this is no exported checkpoint');
      const json = this.#read(12, head.readUInt32LE(8));
      const end = this.#read(this.#size - 12, 12);
      if (end.readUInt32LE(0) !== endMark || end.readUInt32LE(8) !== crc32(json))
        throw this.#damaged(12, 'its end is missing, or its header is damaged');
      this.#start = 12 + json.length;
      this.header = JSON.parse(json.toString()) as ExportHeader;
      if (this.header.format !== exportFormat) throw otherFormat(path, this.header.format, exportFormat);
    } catch (error) {
      closeSync(this.#fd);
      throw isTailraceError(error) ? error : inaccessible(path, error);
    }
  }

  /** Reads the whole file once, before anything is done with it. */
  verify(): void {
    for (const _ of this.runs());
  }

  *runs(): Generator<{ unit: number; bytes: Buffer }> {
    let at = this.#start;
    for (let count = 0; ; count++) {
      const head = this.#read(at, 12);
      const unit = head.readUInt32LE(0);
      const length = head.readUInt32LE(4);
      const checksum = head.readUInt32LE(8);
      if (unit === endMark) {
        if (length !== count || at + 12 !== this.#size)
          throw this.#damaged(at, 'its end does not fit its beginning');
        return;
      }
      if (length > maxRunUnits) throw this.#damaged(at, `a run of ${length} units`);
      const bytes = this.#read(at + 12, length * this.header.unitBytes);
      if (crc32(bytes, crc32(head.subarray(0, 8))) !== checksum)
        throw this.#damaged(at, 'a run has a wrong checksum');
      yield { unit, bytes };
      at += 12 + bytes.length;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(at: number, length: number): Buffer {
    if (at + length > this.#size) throw this.#damaged(at, 'the file ends too early');
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const read = readSync(this.#fd, bytes, done, length - done, at + done);
      if (read === 0) throw this.#damaged(at, 'the file ends too early');
      done += read;
    }
    return bytes;
  }

  #damaged(offset: number, reason: string): TailraceError {
    return new TailraceError('STORE_CORRUPT', `${this.path} at offset ${offset}: ${reason}`, {
      context: { file: this.path, offset, reason },
      remedy: 'Export the checkpoint again.',
    });
  }
}

/** Runs that a state uses and an older one does not, cut to a bounded length. */
function* writtenRuns(
  trees: TreeStore,
  from: SpacePin,
  to: SpacePin,
): Generator<{ start: number; length: number }> {
  const runs: { start: number; length: number }[] = [];
  trees.space.forEachWrittenRun(from, to, (start, length) => runs.push({ start, length }));
  for (const { start, length } of runs)
    for (let at = 0; at < length; at += maxRunUnits)
      yield { start: start + at, length: Math.min(maxRunUnits, length - at) };
}

const isSameState = (current: TreeState | undefined, base: TreeState): boolean =>
  current !== undefined &&
  current.sequence === base.sequence &&
  current.units >= base.units &&
  current.space?.unit === base.space?.unit &&
  current.space?.checksum === base.space?.checksum;

const unfit = (directory: string, reason: string): TailraceError =>
  new TailraceError('CHECKPOINT_IN_USE', `${basename(directory)} cannot take this checkpoint: ${reason}`, {
    context: { directory, reason },
    remedy:
      'Apply a whole export to an empty directory, and increments in order to what came of it, before it is used.',
  });

const u32s = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4);
  return bytes;
};

const magic = 'TRCKPT01';
const exportFormat = 2;
const endMark = 0xffffffff;
const runHeadBytes = 12;
const maxRunUnits = 256;
