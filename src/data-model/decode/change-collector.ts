import type { Change, Undecodable } from '../change.js';

/** The changes of one batch as they are found, each at its index. */
export class ChangeCollector {
  readonly changes: Change[] = [];
  readonly undecodable: Undecodable[] = [];

  /** The index of the change that is added next. */
  get next(): number {
    return this.changes.length;
  }

  add(change: Change): void {
    this.changes.push(change);
  }

  /** Takes back every change from `index` on: a group of records is told wholly or not at all. */
  takeBack(index: number): void {
    this.changes.length = index;
  }

  fail(
    code: Undecodable['code'],
    reason: string,
    seq: number,
    ns: string | undefined,
    key: Uint8Array | undefined,
  ): void {
    this.undecodable.push({ seq, code, reason, ns, key });
  }
}
