import { crc32c } from '../../bytes/index.js';
import { TailraceError } from '../../errors/index.js';
import type { SpacePin } from './space-pin.js';
import { VersionedSpace, type VersionedSpaceOptions } from './versioned-space.js';

/** Where a state's map stands in the data file: what a superblock or a checkpoint keeps of it. */
export interface SpaceMapLocation {
  /** First unit of the table. */
  readonly unit: number;
  readonly byteLength: number;
  /** CRC-32C of the table. */
  readonly checksum: number;
}

/** Writes bytes at a unit of the data file. The bytes are borrowed: they change when the function has returned. */
export type WriteUnits = (unit: number, bytes: Uint8Array) => void;

/** A state's map, ready to be written. */
export interface SpaceMapPlan {
  /** Holds the planned state; release it when a later state is durable, or at once when this one will not be. */
  readonly pin: SpacePin;
  /** Number of writes that `writeTo` makes. */
  readonly count: number;
  /** Writes the changed pages and the table; all of it must be on disk before anything refers to the location. */
  writeTo(write: WriteUnits): SpaceMapLocation;
}

/** Reads `byteLength` bytes of the data file from the start of a unit. */
export type ReadUnits = (unit: number, byteLength: number) => Uint8Array;

/**
 * The persisted form of a space's newest state, kept in the very units that it describes and never overwritten:
 * pages of the bitmap of units in use, and a table that says where each page is.
 *
 *   page   unitBytes bytes: bit `u & 7` of byte `u >>> 3` is 1 when unit u of the page is in use
 *   table  0          4             8            12       20        24
 *          | "TSM1"   | unitBytes   | page count | units  | 0       | entry …
 *            4 bytes    u32 LE        u32 LE       f64 LE   u32
 *   entry  0          4
 *          | unit     | CRC-32C of the page        unit 0xffffffff: every unit of the page is free, not written
 *            u32 LE     u32 LE
 *
 * Each state writes the pages that changed since the state before, and its table. States share the others, so two
 * tables that name the same unit for a page describe the same page.
 */
export class SpaceMap {
  readonly #space: VersionedSpace;
  /** Unit and checksum by page. */
  #entries: Entry[];
  #table: { unit: number; length: number } | undefined;
  /** Pages in a plan that is not known to be on disk; the next plan writes them again. */
  readonly #planned = new Set<number>();

  /** The map of a space that was never written. */
  constructor(space: VersionedSpace, entries: Entry[] = [], table?: { unit: number; length: number }) {
    this.#space = space;
    this.#entries = entries;
    this.#table = table;
  }

  /**
   * Plans the map of the space's present state, taking the units that it needs: the map describes itself. It may be
   * written later, while the space goes on, but before the next plan.
   * @throws TailraceError `SPACE_EXHAUSTED` when there is no room: grow the space and plan again
   */
  plan(): SpaceMapPlan {
    const space = this.#space;
    const { pageCount, unitBytes } = space;
    for (let page = this.#entries.length; page < pageCount; page++) this.#entries.push(freePage);
    for (const { unit } of this.#entries.splice(pageCount)) if (unit !== nowhere) space.release(unit, 1);
    for (const page of this.#planned) if (page >= pageCount) this.#planned.delete(page);
    const tableBytes = headerBytes + pageCount * entryBytes;
    this.#moveTable(Math.ceil(tableBytes / unitBytes));
    this.#movePages();
    space.changedPages.clear();
    const pin = space.pin();
    const pages = [...this.#planned];
    return { pin, count: pages.length + 1, writeTo: (write) => this.#write(pin, pages, write) };
  }

  /** Call when the last plan's writes are durable. */
  commit(): void {
    this.#planned.clear();
  }

  #write(pin: SpacePin, pages: readonly number[], write: WriteUnits): SpaceMapLocation {
    const bits = new Int32Array(this.#space.unitBytes / 4);
    const bytes = new Uint8Array(bits.buffer);
    for (const page of pages) {
      this.#space.copyPage(pin, page, bits);
      const { unit } = this.#entries[page];
      this.#entries[page] = { unit, checksum: crc32c(bytes) };
      write(unit, bytes);
    }
    const table = encodeTable(this.#space, this.#entries);
    const unit = this.#table?.unit ?? 0;
    write(unit, table);
    return { unit, byteLength: table.length, checksum: crc32c(table) };
  }

  /** Calls `visit` for all units that the map itself takes, as last planned. */
  forEachUnit(visit: (start: number, length: number) => void): void {
    if (this.#table !== undefined) visit(this.#table.unit, this.#table.length);
    for (const { unit } of this.#entries) if (unit !== nowhere) visit(unit, 1);
  }

  #moveTable(length: number): void {
    const previous = this.#table;
    if (previous !== undefined) this.#space.release(previous.unit, previous.length);
    this.#table = undefined; // nothing to release again should there be no room
    this.#table = { unit: this.#allocate(length), length };
  }

  /** Gives every changed page a unit. Each move changes pages in turn, so it goes on until none is new. */
  #movePages(): void {
    const moved = new Set<number>();
    for (const changed of [this.#planned, this.#space.changedPages])
      for (const page of changed) {
        // Sets are walked in the order of insertion, and what is added meanwhile is walked too.
        if (moved.has(page)) continue;
        moved.add(page);
        const { unit } = this.#entries[page];
        this.#entries[page] = freePage;
        if (unit !== nowhere) this.#space.release(unit, 1);
        this.#entries[page] = { unit: this.#allocate(1), checksum: 0 };
      }
    for (const page of moved) this.#planned.add(page);
  }

  #allocate(length: number): number {
    const unit = this.#space.allocate(length);
    if (unit < 0)
      throw new TailraceError('SPACE_EXHAUSTED', `no ${length} units are free for the map of the space`, {
        context: { units: this.#space.units, free: this.#space.freeUnits },
        remedy: 'Grow the data file.',
      });
    return unit;
  }
}

/**
 * Reads the newest state and those of checkpoints (oldest first) back. The pins are in the order of `older`, each
 * held once; a page that neighbouring states share is read once.
 * @throws TailraceError `STORE_CORRUPT`
 */
export const readSpace = (
  options: VersionedSpaceOptions,
  read: ReadUnits,
  newest: SpaceMapLocation,
  older: readonly SpaceMapLocation[] = [],
): { space: VersionedSpace; map: SpaceMap; pins: SpacePin[] } => {
  const { unitBytes } = options;
  const { entries, units } = readTable(read, newest, unitBytes);
  const readPage = ({ unit, checksum }: Entry): Int32Array => {
    if (unit === nowhere) return new Int32Array(unitBytes / 4);
    const bytes = read(unit, unitBytes);
    if (crc32c(bytes) !== checksum) throw corrupt(unit, 'a page of the space map has a wrong checksum');
    return wordsOf(bytes);
  };
  const forEachNewestPage = (visit: (page: number, bits: Int32Array) => void): void => {
    for (const [page, entry] of entries.entries()) if (entry.unit !== nowhere) visit(page, readPage(entry));
  };
  const pins: Map<number, Int32Array>[] = [];
  let next = entries;
  for (const location of [...older].reverse()) {
    const table = readTable(read, location, unitBytes).entries;
    const own = new Map<number, Int32Array>();
    for (let page = 0; page < Math.max(table.length, next.length); page++) {
      const entry = table[page] ?? freePage;
      if (entry.unit !== (next[page] ?? freePage).unit) own.set(page, readPage(entry).slice());
    }
    pins.unshift(own);
    next = table;
  }
  const restored = VersionedSpace.restore(options, { units, forEachNewestPage, pins });
  const length = Math.ceil(newest.byteLength / unitBytes);
  const map = new SpaceMap(restored.space, entries, { unit: newest.unit, length });
  return { space: restored.space, map, pins: restored.pins };
};

interface Entry {
  readonly unit: number;
  readonly checksum: number;
}

const magic = 0x314d5354; // "TSM1"
const headerBytes = 24;
const entryBytes = 8;
const nowhere = 0xffffffff;
const freePage: Entry = { unit: nowhere, checksum: 0 };

/** The words of a page's bytes, borrowed where they are aligned. */
const wordsOf = (bytes: Uint8Array): Int32Array => {
  const aligned = (bytes.byteOffset & 3) === 0 ? bytes : Uint8Array.from(bytes);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2);
};

const encodeTable = (space: VersionedSpace, entries: readonly Entry[]): Buffer => {
  const table = Buffer.alloc(headerBytes + entries.length * entryBytes);
  table.writeUInt32LE(magic, 0);
  table.writeUInt32LE(space.unitBytes, 4);
  table.writeUInt32LE(entries.length, 8);
  table.writeDoubleLE(space.units, 12);
  for (const [page, { unit, checksum }] of entries.entries()) {
    table.writeUInt32LE(unit, headerBytes + page * entryBytes);
    table.writeUInt32LE(checksum, headerBytes + page * entryBytes + 4);
  }
  return table;
};

const readTable = (
  read: ReadUnits,
  { unit, byteLength, checksum }: SpaceMapLocation,
  unitBytes: number,
): { entries: Entry[]; units: number } => {
  const bytes = read(unit, byteLength);
  const table = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (table.length !== byteLength || byteLength < headerBytes || crc32c(table) !== checksum)
    throw corrupt(unit, 'the table of the space map has a wrong checksum');
  const count = table.readUInt32LE(8);
  const units = table.readDoubleLE(12);
  if (table.readUInt32LE(0) !== magic || byteLength !== headerBytes + count * entryBytes)
    throw corrupt(unit, 'this is no table of a space map');
  if (table.readUInt32LE(4) !== unitBytes)
    throw corrupt(unit, `the space map has units of ${table.readUInt32LE(4)} bytes, not ${unitBytes}`);
  const entries = Array.from({ length: count }, (_, page) => ({
    unit: table.readUInt32LE(headerBytes + page * entryBytes),
    checksum: table.readUInt32LE(headerBytes + page * entryBytes + 4),
  }));
  return { entries, units };
};

const corrupt = (unit: number, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `the data file is damaged at unit ${unit}: ${reason}`, {
    context: { unit, reason },
    remedy: 'Restore a checkpoint or a backup.',
  });
