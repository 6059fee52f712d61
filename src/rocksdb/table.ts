import { closeSync, readSync } from 'node:fs';
import { readU32 } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import { inaccessible, openToRead } from '../files/index.js';
import type { BlockCache } from './block-cache.js';
import { blockChecksum, checksumModifier, isKnownChecksum } from './block-checksum.js';
import { BlockCursor } from './block-cursor.js';
import { decompress } from './decompress.js';
import { type BlockHandle, IndexCursor, type IndexShape, readHandle, trailerBytes } from './index-cursor.js';
import { decodeTrailer } from './internal-key.js';
import type { DeletedRange, TableFile } from './store-version.js';

/**
 * A table file (SST) of RocksDB's block based format, versions 2 to 6:
 *
 *   | data block … | filter, index, properties and other blocks … | metaindex block | footer, 53 bytes |
 *
 *   block:   | contents | compression u8 | checksum u32 LE |
 *   footer:  | checksum type u8 | 40 bytes | format version u32 LE | magic u64 LE |
 *   of these 40, up to version 5: | metaindex handle | index handle | zeros |
 *   from version 6 on: | 3e 00 7a 00 | footer checksum u32 | context u32 | metaindex size u32 | zeros |
 *
 * The metaindex names the other blocks with their handles. The file stays open, so that it can be read although the store
 * has merged it into another meanwhile.
 */
export class Table {
  readonly file: TableFile;
  readonly path: string;
  readonly deletedRanges: readonly DeletedRange[];
  /** The sequence number of all its entries, where the file was ingested. */
  readonly ownSequence: number | undefined;
  readonly #fd: number;
  readonly #cache: BlockCache;
  readonly #checksum: number;
  readonly #context: number;
  readonly #index: BlockHandle;
  readonly #shape: IndexShape;
  readonly #isPartitioned: boolean;

  /** @throws TailraceError `FILE_INACCESSIBLE` | `STORE_CORRUPT` | `SOURCE_UNSUPPORTED` */
  constructor(path: string, file: TableFile, cache: BlockCache) {
    this.path = path;
    this.file = file;
    this.#cache = cache;
    this.#fd = openToRead(path);
    try {
      const at = file.size - footerBytes;
      const footer = this.#read(at, footerBytes);
      this.#checksum = footer[0];
      const version = readU32(footer, 41);
      if (!footer.subarray(45).equals(magic)) throw this.#damaged(at, 'it has no footer of a table');
      if (version < 2 || version > 6 || !isKnownChecksum(this.#checksum))
        throw this.#unsupported(`format version ${version} with checksum ${this.#checksum}`);
      this.#context = version >= 6 ? readU32(footer, 9) : 0;
      const metaIndex =
        version >= 6
          ? { offset: at - trailerBytes - readU32(footer, 13), size: readU32(footer, 13) }
          : readHandle(footer, 1);
      if (metaIndex === undefined) throw this.#damaged(at, 'it has no metaindex');
      const meta = this.#handlesOf(metaIndex);
      const properties = this.#propertiesOf(meta.get('rocksdb.properties'));
      const index = version >= 6 ? meta.get('rocksdb.index') : footerIndex(footer);
      if (index === undefined) throw this.#damaged(at, 'it has no index');
      this.#index = index;
      if (meta.has('rocksdb.compression_dict')) throw this.#unsupported('a compression dictionary');
      const indexType = numberOf(properties, 'rocksdb.block.based.table.index.type', 4);
      this.#isPartitioned = indexType === 2;
      this.#shape = {
        isUserKey: numberOf(properties, 'rocksdb.index.key.is.user.key') === 1,
        isDelta: numberOf(properties, 'rocksdb.index.value.is.delta.encoded') === 1,
        hasFirstKey: indexType === 3,
      };
      this.ownSequence = properties.has('rocksdb.external_sst_file.version')
        ? file.largestSequence
        : undefined;
      this.deletedRanges = this.#readDeletedRanges(meta.get('rocksdb.range_del'));
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** A cursor of the top of the index. */
  indexCursor(): IndexCursor {
    return new IndexCursor(this.block(this.#index), `the index of ${this.path}`, this.#shape);
  }

  /** True when the entries of the top of the index name index blocks themselves. */
  get isPartitioned(): boolean {
    return this.#isPartitioned;
  }

  partitionCursor(handle: BlockHandle): IndexCursor {
    return new IndexCursor(this.block(handle), `the index of ${this.path} at ${handle.offset}`, this.#shape);
  }

  dataCursor(handle: BlockHandle): BlockCursor {
    return new BlockCursor(this.block(handle), `the block of ${this.path} at ${handle.offset}`, 8);
  }

  /** A block's contents, checked and decompressed. @throws TailraceError `STORE_CORRUPT` | `SOURCE_UNSUPPORTED` */
  block({ offset, size }: BlockHandle): Buffer {
    const name = `${this.file.number}:${offset}`;
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached;
    if (offset + size + trailerBytes > this.file.size)
      throw this.#damaged(offset, 'a block ends behind the file');
    const bytes = this.#read(offset, size + trailerBytes);
    const stored = readU32(bytes, size + 1);
    const modifier = checksumModifier(this.#context, offset);
    if (this.#checksum !== 0) {
      const computed = (blockChecksum(this.#checksum, bytes, 0, size + 1) + modifier) >>> 0;
      if (computed !== stored) throw this.#damaged(offset, 'the checksum of a block does not fit');
    }
    const block = decompress(bytes[size], bytes.subarray(0, size), `the block of ${this.path} at ${offset}`);
    this.#cache.put(name, block);
    return block;
  }

  #handlesOf(metaIndex: BlockHandle): Map<string, BlockHandle> {
    const handles = new Map<string, BlockHandle>();
    const cursor = new BlockCursor(this.block(metaIndex), `the metaindex of ${this.path}`, 0);
    for (cursor.first(); cursor.valid; cursor.next()) {
      const handle = readHandle(cursor.block, cursor.valueStart);
      if (handle !== undefined) handles.set(cursor.key().toString('latin1'), handle);
    }
    return handles;
  }

  #propertiesOf(handle: BlockHandle | undefined): Map<string, Buffer> {
    const properties = new Map<string, Buffer>();
    if (handle === undefined) return properties;
    const cursor = new BlockCursor(this.block(handle), `the properties of ${this.path}`, 0);
    for (cursor.first(); cursor.valid; cursor.next())
      properties.set(cursor.key().toString('latin1'), cursor.value());
    return properties;
  }

  /** As far as the file reaches: beyond it, they are no longer true of keys whose numbers were given up. */
  #readDeletedRanges(handle: BlockHandle | undefined): readonly DeletedRange[] {
    if (handle === undefined) return [];
    const { smallest, largest, isLargestExclusive } = this.file;
    const ranges: DeletedRange[] = [];
    const cursor = new BlockCursor(this.block(handle), `the deleted ranges of ${this.path}`, 8);
    for (cursor.first(); cursor.valid; cursor.next()) {
      const begin = Buffer.from(cursor.key());
      const end = Buffer.from(cursor.value());
      const { sequence } = decodeTrailer(cursor.keyBytes, cursor.keyLength - 8);
      const endsInside = Buffer.compare(end, largest) <= 0;
      ranges.push({
        begin: Buffer.compare(begin, smallest) < 0 ? smallest : begin,
        end: endsInside ? end : largest,
        isEndIncluded: !endsInside && !isLargestExclusive,
        sequence: this.ownSequence ?? sequence,
      });
    }
    return ranges;
  }

  #read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    try {
      if (offset >= 0) read = readSync(this.#fd, bytes, 0, length, offset);
    } catch (cause) {
      throw inaccessible(this.path, cause);
    }
    if (read !== length) throw this.#damaged(offset, 'the file is shorter than it should be');
    return bytes;
  }

  #damaged(offset: number, reason: string): TailraceError {
    return new TailraceError('STORE_CORRUPT', `${this.path} is damaged at ${offset}: ${reason}`, {
      context: { file: this.path, offset, reason },
      remedy: 'Restore the file from a backup or a replica.',
    });
  }

  #unsupported(what: string): TailraceError {
    return new TailraceError('SOURCE_UNSUPPORTED', `${this.path} has ${what}, which is not known`, {
      context: { file: this.path },
      remedy: 'Start Kvrocks on the directory and migrate over the network.',
    });
  }
}

const footerBytes = 53;
const magic = Buffer.from('88e241b785f4cff7', 'hex').reverse();

const footerIndex = (footer: Buffer): BlockHandle | undefined => {
  let at = 1;
  // Behind the two numbers of the metaindex' handle.
  for (let numbers = 0; numbers < 2; at++) if (footer[at] < 0x80) numbers++;
  return readHandle(footer, at);
};

const numberOf = (properties: ReadonlyMap<string, Buffer>, name: string, width?: 4): number => {
  const value = properties.get(name);
  if (value === undefined || value.length === 0) return 0;
  return width === 4 && value.length >= 4 ? readU32(value, 0) : value[0];
};
