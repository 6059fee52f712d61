import type { RecordTarget } from '../../engine/index.js';
import {
  type ListEnds,
  listPositionBytes,
  readListPosition,
  writeListPosition,
} from '../encoding/list-encoding.js';

/** Of the elements of a list those from head to tail: a Kvrocks leaves others beside them that are no longer of the list. */
export class ListRange implements RecordTarget {
  readonly #ends: ListEnds;
  readonly #target: RecordTarget;

  constructor(ends: ListEnds, target: RecordTarget) {
    this.#ends = ends;
    this.#target = target;
  }

  /** The internal key of the element at the head. */
  firstKey(prefix: Buffer): Buffer {
    const key = Buffer.allocUnsafe(prefix.length + listPositionBytes);
    key.set(prefix);
    writeListPosition(key, prefix.length, this.#ends.head);
    return key;
  }

  record(
    keyBytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBytes: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const { head, tail } = this.#ends;
    const position = keyEnd - keyStart < listPositionBytes ? head : readListPosition(keyBytes, keyStart);
    if (position >= tail) return false;
    return (
      position < head || this.#target.record(keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd)
    );
  }
}
