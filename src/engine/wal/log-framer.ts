import { crc32cOfView, maskCrc, writeU32 } from '../../bytes/index.js';
import { blockBytes, headerBytes, LogRecordType } from './log-format.js';

/**
 * Bytes on their way to one log file: payloads framed as physical records (layout: log-format.ts), from a given
 * file offset on. The buffer is reused by `restart`.
 */
export class LogFramer {
  #bytes: Buffer;
  /** The same memory. */
  #view: DataView;
  #length = 0;
  #fileOffset = 0;

  constructor(capacityBytes = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafe(capacityBytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Forgets what was framed; the next payload goes to `fileOffset`. */
  restart(fileOffset: number): void {
    this.#fileOffset = fileOffset;
    this.#length = 0;
  }

  get length(): number {
    return this.#length;
  }

  /** File offset of the first framed byte. */
  get fileOffset(): number {
    return this.#fileOffset;
  }

  /** File offset behind the last framed byte. */
  get endOffset(): number {
    return this.#fileOffset + this.#length;
  }

  /** The framed bytes. Borrowed until `restart` or `append`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Frames one payload, in as many fragments as blocks demand. Returns the file offset of its first header. Hot. */
  append(payload: Uint8Array): number {
    this.#reserve(payload.length);
    let start = -1;
    let from = 0;
    for (;;) {
      const leftover = blockBytes - (this.endOffset % blockBytes);
      if (leftover < headerBytes) {
        this.#bytes.fill(0, this.#length, this.#length + leftover);
        this.#length += leftover;
        continue;
      }
      if (start < 0) start = this.endOffset;
      const length = Math.min(payload.length - from, leftover - headerBytes);
      const isLast = from + length === payload.length;
      this.#frame(payload, from, length, fragmentType(this.endOffset === start, isLast));
      from += length;
      if (isLast) return start;
    }
  }

  #frame(payload: Uint8Array, from: number, length: number, type: number): void {
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at + 4] = length;
    bytes[at + 5] = length >>> 8;
    bytes[at + 6] = type;
    if (length === payload.length) bytes.set(payload, at + headerBytes);
    else bytes.set(payload.subarray(from, from + length), at + headerBytes);
    writeU32(bytes, at, maskCrc(crc32cOfView(this.#view, at + 6, at + headerBytes + length)));
    this.#length = at + headerBytes + length;
  }

  #reserve(payloadBytes: number): void {
    const fragments = Math.ceil(payloadBytes / (blockBytes - headerBytes)) + 2;
    const needed = this.#length + payloadBytes + fragments * (headerBytes + headerBytes);
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const fragmentType = (isFirst: boolean, isLast: boolean): number => {
  if (isFirst) return isLast ? LogRecordType.Full : LogRecordType.First;
  return isLast ? LogRecordType.Last : LogRecordType.Middle;
};
