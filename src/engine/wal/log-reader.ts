import { readSync } from 'node:fs';
import { crc32cOfView, readU32, unmaskCrc } from '../../bytes/index.js';
import { decompressZstd } from '../../compression/index.js';
import { TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import {
  blockBytes,
  headerBytes,
  ignorableTypeBit,
  LogRecordType,
  recyclableHeaderBytes,
} from './log-format.js';

/**
 * What a read found.
 * - `record`: `payload` holds one logical record.
 * - `end`: the file ends here, at a record boundary; there may be more later.
 * - `incomplete`: the file ends inside a record: a torn tail, or a writer that is still writing.
 * - `damaged`: bytes that are no record; `reason` says why.
 */
export type LogRead = 'record' | 'end' | 'incomplete' | 'damaged';

/**
 * Reads the logical records of one log file (layout: log-format.ts), checking every CRC. Payloads are views of the
 * reader's buffer where a record lies in one block, and joined copies where it does not.
 *
 * After anything but `record` the reader stands at the start of the record that it could not read, and `next` tries
 * again from there: that is how a live file is followed. Hot: bench `wal-decode`.
 */
export class LogReader {
  readonly path: string;
  /** The last record lies in `bytes` from `payloadStart` to `payloadEnd`. Borrowed until the next call of `next`. */
  bytes: Buffer = noBytes;
  payloadStart = 0;
  payloadEnd = 0;
  /** File offset of the last record's first header, or of the place that could not be read. */
  offset = 0;
  /** Why the last read was `damaged`. */
  reason = '';

  readonly #fd: number;
  readonly #logNumber: number;
  readonly #buffer: Buffer;
  /** The same memory. */
  readonly #view: DataView;
  #bufferStart = 0;
  #bufferLength = 0;
  #position: number;
  #limit = Number.POSITIVE_INFINITY;
  /** Of the last physical record: its type, and where its payload lies in the buffer. */
  #type = 0;
  #start = 0;
  #end = 0;
  #isCompressed = false;

  /** Reads from an open file, which stays its owner's. `offset` is that of a record's header. */
  constructor(fd: number, path: string, logNumber: number, offset = 0, bufferBytes = defaultBufferBytes) {
    this.#fd = fd;
    this.path = path;
    this.#logNumber = logNumber;
    this.#position = offset;
    this.#buffer = Buffer.allocUnsafeSlow(bufferBytes);
    this.#view = new DataView(this.#buffer.buffer);
    // Who starts inside the file must know what its first record says of all others.
    if (offset > 0) this.#readCompression();
  }

  /** The last record's bytes as a view. Borrowed until the next call of `next`. */
  get payload(): Buffer {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd);
  }

  /** File offset behind the last record. */
  get position(): number {
    return this.#position;
  }

  /** Reads the next record that ends at or before file offset `limit`. */
  next(limit = Number.POSITIVE_INFINITY): LogRead {
    this.#limit = limit;
    this.offset = this.#position;
    let joined: Buffer[] | undefined;
    for (;;) {
      const found = this.#nextFragment(joined !== undefined);
      if (found !== 'record') return found;
      const type = this.#type;
      switch (type) {
        case LogRecordType.Full:
        case LogRecordType.RecyclableFull:
          if (joined !== undefined) return this.#damaged('a record begins inside a fragmented record');
          return this.#whole(this.#buffer, this.#start, this.#end);
        case LogRecordType.First:
        case LogRecordType.RecyclableFirst:
          if (joined !== undefined) return this.#damaged('a record begins inside a fragmented record');
          joined = [Buffer.from(this.#buffer.subarray(this.#start, this.#end))];
          break;
        case LogRecordType.Middle:
        case LogRecordType.RecyclableMiddle:
          if (joined === undefined) return this.#damaged('a fragment without its beginning');
          joined.push(Buffer.from(this.#buffer.subarray(this.#start, this.#end)));
          break;
        case LogRecordType.Last:
        case LogRecordType.RecyclableLast: {
          if (joined === undefined) return this.#damaged('a fragment without its beginning');
          joined.push(this.#buffer.subarray(this.#start, this.#end));
          const bytes = Buffer.concat(joined);
          return this.#whole(bytes, 0, bytes.length);
        }
        case LogRecordType.SetCompression:
          if (this.#end - this.#start >= 4) this.#setCompression(readU32(this.#buffer, this.#start));
          break;
        case LogRecordType.UserTimestampSizes:
        case LogRecordType.RecyclableUserTimestampSizes:
          break;
        default:
          if ((type & ignorableTypeBit) === 0) return this.#damaged(`unknown record type ${type}`);
      }
      if (joined === undefined) this.offset = this.#position; // what was passed over is done with, should the file end here
    }
  }

  /**
   * True when an intact record begins anywhere behind the place that could not be read: then that place is damage
   * inside the log, not the torn end of it.
   */
  hasIntactRecordBehind(fileSize: number): boolean {
    for (let block = this.offset - (this.offset % blockBytes); block < fileSize; block += blockBytes) {
      this.#limit = fileSize;
      this.#position = block;
      const size = Math.min(blockBytes, fileSize - block);
      if (!this.#has(size)) return false;
      const base = block - this.#bufferStart;
      const from = block <= this.offset ? this.offset - block + 1 : 0;
      for (let at = from; at + headerBytes < size; at++)
        if (this.#isIntactAt(base + at, base + size)) return true;
    }
    return false;
  }

  #isIntactAt(at: number, end: number): boolean {
    const buffer = this.#buffer;
    const type = buffer[at + 6];
    if (type !== LogRecordType.Full && type !== LogRecordType.First) return false;
    const length = buffer[at + 4] | (buffer[at + 5] << 8);
    const last = at + headerBytes + length;
    return (
      length > 0 && last <= end && crc32cOfView(this.#view, at + 6, last) === unmaskCrc(readU32(buffer, at))
    );
  }

  /** Reads the next physical record: its type, and where its payload lies in the buffer. */
  #nextFragment(isInside: boolean): LogRead {
    for (;;) {
      const leftover = blockBytes - (this.#position % blockBytes);
      if (leftover < headerBytes) {
        this.#position += leftover;
        continue;
      }
      if (!this.#has(headerBytes)) return this.#stop(this.#remaining() > 0 || isInside);
      // Not before there is a header: the log ends behind its last record, not behind a filler that nobody wrote.
      if (!isInside) this.offset = this.#position;
      const buffer = this.#buffer;
      const at = this.#position - this.#bufferStart;
      const type = buffer[at + 6];
      const length = buffer[at + 4] | (buffer[at + 5] << 8);
      if (type === LogRecordType.Zero && length === 0) {
        if (leftover < recyclableHeaderBytes) {
          // The filler of a block whose records have the larger header.
          this.#position += leftover;
          continue;
        }
        if (isInside) return this.#damaged('a zero-filled area inside a fragmented record');
        return this.#stop(false);
      }
      const isRecyclable = isRecyclableType(type);
      const header = isRecyclable ? recyclableHeaderBytes : headerBytes;
      if (header + length > leftover) return this.#damaged(`record length ${length} exceeds its block`);
      if (!this.#has(header + length)) return this.#stop(true);
      const start = this.#position - this.#bufferStart;
      const end = start + header + length;
      if (crc32cOfView(this.#view, start + 6, end) !== unmaskCrc(readU32(buffer, start)))
        return this.#damaged('checksum mismatch');
      // A record of the file's former life: the log ends here.
      if (isRecyclable && readU32(buffer, start + headerBytes) !== this.#logNumber >>> 0)
        return this.#stop(isInside);
      this.#position += header + length;
      this.#type = type;
      this.#start = start + header;
      this.#end = end;
      return 'record';
    }
  }

  #whole(bytes: Buffer, start: number, end: number): LogRead {
    this.bytes = bytes;
    this.payloadStart = start;
    this.payloadEnd = end;
    return this.#isCompressed && end > start ? this.#decompress() : 'record';
  }

  /** A compressed log has each record's payload in a frame of its own. */
  #decompress(): LogRead {
    const plain = decompressZstd(this.payload, largestRecord);
    if (typeof plain === 'string') return this.#damaged(`a record that cannot be decompressed: ${plain}`);
    this.bytes = plain;
    this.payloadStart = 0;
    this.payloadEnd = plain.length;
    return 'record';
  }

  #readCompression(): void {
    const head = Buffer.allocUnsafe(headerBytes + 4);
    try {
      if (readSync(this.#fd, head, 0, head.length, 0) < head.length) return;
    } catch (cause) {
      throw inaccessible(this.path, cause);
    }
    if (head[6] === LogRecordType.SetCompression) this.#setCompression(readU32(head, headerBytes));
  }

  #setCompression(type: number): void {
    if (type !== Compression.none && type !== Compression.zstd) throw this.#unknownCompression(type);
    this.#isCompressed = type === Compression.zstd;
  }

  /** Makes `length` bytes at the position readable in the buffer; false when the file or the limit ends first. */
  #has(length: number): boolean {
    const wanted = this.#position + length;
    if (wanted > this.#limit) return false;
    if (this.#position >= this.#bufferStart && wanted <= this.#bufferStart + this.#bufferLength) return true;
    this.#bufferStart = this.#position - (this.#position % blockBytes);
    try {
      this.#bufferLength = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, this.#bufferStart);
    } catch (cause) {
      this.#bufferLength = 0;
      throw inaccessible(this.path, cause);
    }
    return wanted <= this.#bufferStart + this.#bufferLength;
  }

  #remaining(): number {
    return Math.min(this.#limit, this.#bufferStart + this.#bufferLength) - this.#position;
  }

  #stop(isIncomplete: boolean): LogRead {
    this.#position = this.offset;
    this.bytes = noBytes; // the last record may have been a large one
    // What is buffered ends mid-record; a later try must see what the writer added since.
    this.#bufferLength = 0;
    return isIncomplete ? 'incomplete' : 'end';
  }

  #damaged(reason: string): LogRead {
    this.reason = reason;
    this.#position = this.offset;
    this.#bufferLength = 0;
    return 'damaged';
  }

  #unknownCompression(type: number): TailraceError {
    return new TailraceError(
      'WAL_CORRUPT',
      `${this.path} is compressed in a way that is not known: ${type}`,
      {
        context: { file: this.path, offset: this.offset, compression: type },
        remedy: 'Turn off WAL compression at the source (Kvrocks: rocksdb.wal_compression no).',
      },
    );
  }
}

const isRecyclableType = (type: number): boolean =>
  (type >= LogRecordType.RecyclableFull && type <= LogRecordType.RecyclableLast) ||
  type === LogRecordType.RecyclableUserTimestampSizes ||
  type === LogRecordType.RecyclablePredecessorInfo;

const Compression = { none: 0, zstd: 7 } as const;
/** No batch that a Kvrocks writes comes near it; a frame of a few bytes may say that it holds more. */
const largestRecord = 2 ** 30;
/** Eight blocks: one read serves a few thousand small records. */
const defaultBufferBytes = 8 * blockBytes;
const noBytes = Buffer.alloc(0);
