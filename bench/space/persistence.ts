import { closeSync, fsyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  readSpace,
  SpaceJournal,
  SpaceManager,
  SpaceMap,
  VersionedSpace,
} from '../../src/engine/space/index.js';
import { atMost, type BenchResult, median, seconds } from '../harness.js';
import type { Allocator } from './allocator.js';
import { cpuSeconds, type Scale } from './speed.js';
import { maxRecordBytes, Workload } from './workload.js';

/** A versioned space behind the workloads' interface. */
class VersionedAllocator implements Allocator {
  readonly name = 'versioned space';
  readonly space: VersionedSpace;

  constructor(space: VersionedSpace) {
    this.space = space;
  }

  get byteLength(): number {
    return this.space.byteLength;
  }

  allocate(length: number): number {
    return this.space.allocate(length);
  }

  free(handle: number, length: number): void {
    this.space.release(handle, length);
  }
}

/** A space manager whose operations go to a journal. */
class JournaledAllocator implements Allocator {
  readonly name = 'space manager with a journal';
  readonly space: SpaceManager;
  readonly journal = new SpaceJournal();

  constructor(space: SpaceManager) {
    this.space = space;
  }

  get byteLength(): number {
    return this.space.byteLength;
  }

  allocate(length: number): number {
    const start = this.space.allocate(length);
    if (start >= 0) this.journal.allocated(start, length);
    return start;
  }

  free(handle: number, length: number): void {
    this.space.free(handle, length);
    this.journal.freed(handle, length);
  }
}

/** Saving a whole map, reading it back, and replaying a journal after a crash, at 95 % fill. */
export const persistenceOf = async ({ units, unitBytes, operations }: Scale): Promise<BenchResult[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const file = join(directory, 'map');
  const maxRunUnits = Math.ceil(maxRecordBytes / unitBytes);
  const options = { unitBytes, maxRunUnits };
  try {
    const allocator = new VersionedAllocator(new VersionedSpace(units, options));
    const workload = new Workload(allocator, { units, unitBytes, mode: 'wave', fill: 0.95, seed: 7 });
    workload.fill();
    workload.run(operations / 10);
    const map = new SpaceMap(allocator.space);
    // The map's units in the order of writing: as if they stood together in a file of their own.
    const places = new Map<number, number>();
    const buffer = Buffer.alloc(bufferBytes);
    let location = { unit: 0, byteLength: 0, checksum: 0 };
    const saves: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (let page = 0; page < allocator.space.pageCount; page++) allocator.space.changedPages.add(page);
      saves.push(
        await seconds(() => {
          const fd = openSync(file, 'w');
          const plan = map.plan();
          let at = 0;
          let waiting = 0;
          const flush = (): void => {
            at += writeSync(fd, buffer, 0, waiting, at);
            waiting = 0;
          };
          location = plan.writeTo((unit, bytes) => {
            if (waiting + bytes.length > buffer.length) flush();
            places.set(unit, at + waiting);
            buffer.set(bytes, waiting);
            waiting += bytes.length;
          });
          flush();
          fsyncSync(fd);
          closeSync(fd);
          map.commit();
          plan.pin.release();
        }),
      );
      allocator.space.reclaim();
    }
    const fd = openSync(file, 'r');
    const read = (unit: number, byteLength: number): Uint8Array => {
      const bytes = Buffer.allocUnsafe(byteLength);
      readSync(fd, bytes, 0, byteLength, places.get(unit) ?? 0);
      return bytes;
    };
    const loads = Array.from({ length: rounds }, () =>
      cpuSeconds(() => {
        const { space } = readSpace(options, read, location);
        if (space.liveUnits !== allocator.space.liveUnits) throw new Error('the map read back differs');
      }),
    );
    closeSync(fd);
    return [
      atMost('save of the whole map, with fsync', median(saves) * 1000, 'ms', 120),
      atMost('open from the map', median(loads) * 1000, 'ms CPU', 300),
      replayOf(units, unitBytes, operations),
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
};

const replayOf = (units: number, unitBytes: number, operations: number): BenchResult => {
  const options = { maxRunUnits: Math.ceil(maxRecordBytes / unitBytes) };
  const allocator = new JournaledAllocator(new SpaceManager(units, options));
  const workload = new Workload(allocator, { units, unitBytes, mode: 'wave', fill: 0.95, seed: 7 });
  workload.fill();
  allocator.journal.takeFrame();
  const bitmap = Uint8Array.from(allocator.space.serialize());
  const frames: Buffer[] = [];
  const count = Math.min(1_000_000, operations);
  for (let done = 0; done < count; done += 1_000) {
    workload.run(1_000);
    frames.push(allocator.journal.takeFrame());
  }
  const journal = Buffer.concat(frames);
  let replayed: SpaceManager | undefined;
  const times = Array.from({ length: rounds }, () =>
    cpuSeconds(() => {
      replayed = SpaceManager.recover(units, options, bitmap, journal).space;
    }),
  );
  if (replayed === undefined || Buffer.compare(replayed.serialize(), allocator.space.serialize()) !== 0)
    throw new Error('the replayed space differs');
  return atMost(`replay of ${count.toLocaleString('en-US')} operations`, median(times) * 1000, 'ms CPU', 300);
};

/** Pages go to the file so many at a time; more than the table of any of these maps. */
const bufferBytes = 2 ** 20;
/** Of which the median counts; the first two are mostly of code that is not compiled yet. */
const rounds = 5;
