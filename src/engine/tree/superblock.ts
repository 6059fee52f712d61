import { crc32 } from 'node:zlib';
import { TailraceError } from '../../errors/index.js';
import { otherFormat } from '../other-format.js';
import type { SpaceMapLocation } from '../space/index.js';
import { pageBytes } from './page.js';

/** The tree of one column family. `unit` 0 = it is empty. */
export interface TreeRoot {
  readonly unit: number;
  /** Level of the root page: 0 when it is a leaf. */
  readonly level: number;
  readonly entries: number;
  /** Entries whose key or value lies in runs of its own. */
  readonly largeEntries: number;
}

/** The root of a tree that has no pages. */
export const emptyRoot: TreeRoot = { unit: 0, level: 0, entries: 0, largeEntries: 0 };

/** One durable state of the data file. */
export interface Superblock {
  /** Store that the file belongs to: a UUID. */
  readonly storeId: string;
  /** Grows by one with each state. */
  readonly epoch: number;
  /** Last sequence number that the trees contain. */
  readonly sequence: number;
  /** Size of the file, in units. */
  readonly units: number;
  /** Map of the units in use; undefined in the first state, which uses the superblocks' units alone. */
  readonly space: SpaceMapLocation | undefined;
  /** By column family id. */
  readonly roots: readonly TreeRoot[];
}

/** Units of the file that belong to the superblocks: state n stands in unit n & 1. */
export const superblockUnits = 2;
const dataFormat = 1;

/**
 * The unit of a superblock, which lies in one sector at its start and once more in its middle: a damaged one looks as one
 * does that was written in part, and without the newest state the log is not enough any more. Numbers are little-endian.
 *
 *   0          8        12          16        32      40         48      56           60          64     68
 *   | tailrace | format | unitBytes | storeId | epoch | sequence | units | space unit | byteLength | crc | roots |
 *     8 bytes    u32      u32         16 bytes  f64     f64        f64     u32          u32          u32   u32
 *
 *   72 + 24i   u32 unit │ u32 level │ f64 entries │ f64 largeEntries        of column family i, up to 16
 *   508        u32 CRC-32 of bytes 0 to 507
 */
export const encodeSuperblock = (block: Superblock): Buffer => {
  const bytes = Buffer.alloc(pageBytes);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(dataFormat, 8);
  bytes.writeUInt32LE(pageBytes, 12);
  bytes.write(block.storeId.replaceAll('-', ''), 16, 'hex');
  bytes.writeDoubleLE(block.epoch, 32);
  bytes.writeDoubleLE(block.sequence, 40);
  bytes.writeDoubleLE(block.units, 48);
  bytes.writeUInt32LE(block.space?.unit ?? 0, 56);
  bytes.writeUInt32LE(block.space?.byteLength ?? 0, 60);
  bytes.writeUInt32LE(block.space?.checksum ?? 0, 64);
  bytes.writeUInt32LE(block.roots.length, 68);
  for (const [i, root] of block.roots.entries()) {
    const at = rootsAt + i * rootBytes;
    bytes.writeUInt32LE(root.unit, at);
    bytes.writeUInt32LE(root.level, at + 4);
    bytes.writeDoubleLE(root.entries, at + 8);
    bytes.writeDoubleLE(root.largeEntries, at + 16);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(0, checksumAt)), checksumAt);
  bytes.copy(bytes, copyAt, 0, superblockBytes);
  return bytes;
};

/** The newest whole superblock in the two units. @throws `STORE_CORRUPT` | `STORE_FORMAT_UNKNOWN` */
export const newestSuperblock = (path: string, units: readonly Buffer[]): Superblock => {
  let newest: Superblock | undefined;
  for (const unit of units)
    for (const bytes of [unit, unit.subarray(copyAt)]) {
      const found = decodeSuperblock(path, bytes);
      if (found !== undefined && found.epoch > (newest?.epoch ?? -1)) newest = found;
    }
  if (newest === undefined)
    throw unreadable(path, 'neither superblock is whole: this is no data file, or its start is damaged');
  return newest;
};

/** Undefined when the bytes are no whole superblock: never written, or torn. @throws `STORE_FORMAT_UNKNOWN` */
const decodeSuperblock = (path: string, bytes: Buffer): Superblock | undefined => {
  if (bytes.length < superblockBytes || bytes.toString('latin1', 0, 8) !== magic) return undefined;
  if (bytes.readUInt32LE(checksumAt) !== crc32(bytes.subarray(0, checksumAt))) return undefined;
  const format = bytes.readUInt32LE(8);
  if (format !== dataFormat) throw otherFormat(path, format, dataFormat);
  if (bytes.readUInt32LE(12) !== pageBytes)
    throw unreadable(path, `the data file has units of ${bytes.readUInt32LE(12)} bytes, not ${pageBytes}`);
  const byteLength = bytes.readUInt32LE(60);
  const id = bytes.toString('hex', 16, 32);
  return {
    storeId: [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join('-'),
    epoch: bytes.readDoubleLE(32),
    sequence: bytes.readDoubleLE(40),
    units: bytes.readDoubleLE(48),
    space:
      byteLength === 0
        ? undefined
        : { unit: bytes.readUInt32LE(56), byteLength, checksum: bytes.readUInt32LE(64) },
    roots: Array.from({ length: Math.min(maxRoots, bytes.readUInt32LE(68)) }, (_, i) => {
      const at = rootsAt + i * rootBytes;
      return {
        unit: bytes.readUInt32LE(at),
        level: bytes.readUInt32LE(at + 4),
        entries: bytes.readDoubleLE(at + 8),
        largeEntries: bytes.readDoubleLE(at + 16),
      };
    }),
  };
};

export const unreadable = (path: string, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path}: ${reason}`, {
    context: { file: path, reason },
    remedy:
      'Check that this is the directory of a store of this version; otherwise restore a checkpoint or a backup.',
  });

const superblockBytes = 512;
const copyAt = 2048;
const magic = 'tailrace';
const rootsAt = 72;
const rootBytes = 24;
const maxRoots = 16;
const checksumAt = 508;
