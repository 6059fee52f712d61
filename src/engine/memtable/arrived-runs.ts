import type { MemtableMemory } from './memtable-memory.js';
import type { NotedNodes } from './noted-nodes.js';

/** Sorted runs of nodes, one behind the other, and beside them the same nodes as they came, which is how they lie in memory. */
export class ArrivedRuns {
  readonly #memory: MemtableMemory;
  /** How many there will probably be. */
  readonly #expected: number;
  #sorted: Int32Array = noNodes;
  #arrived: Int32Array = noNodes;
  /** Where each run ends. */
  #ends: number[] = [];

  constructor(memory: MemtableMemory, expected: number) {
    this.#memory = memory;
    this.#expected = expected;
  }

  get count(): number {
    return this.#ends.at(-1) ?? 0;
  }

  get byteLength(): number {
    return this.#sorted.byteLength + this.#arrived.byteLength;
  }

  /** Views, good until more is added. */
  get runs(): Int32Array[] {
    return this.#ends.map((end, i) => this.#sorted.subarray(i === 0 ? 0 : this.#ends[i - 1], end));
  }

  /** All nodes as they came. A view, good until more is added. */
  get arrived(): Int32Array {
    return this.#arrived.subarray(0, this.count);
  }

  /** Makes a run of all nodes that were noted. */
  add(noted: NotedNodes): void {
    const start = this.count;
    const end = start + noted.count;
    if (end > this.#sorted.length) {
      const room = Math.max(this.#expected + (this.#expected >>> 3), this.#sorted.length * 2, end);
      this.#sorted = this.#moved(this.#sorted, room);
      this.#arrived = this.#moved(this.#arrived, room);
    }
    noted.sortInto(this.#sorted.subarray(start, end), this.#arrived.subarray(start, end));
    this.#ends.push(end);
  }

  /** Forgets all, and gives its memory back: nobody may look at views of it any more. */
  clear(): void {
    if (this.#sorted !== noNodes) {
      this.#memory.giveWords(this.#sorted);
      this.#memory.giveWords(this.#arrived);
    }
    this.#sorted = noNodes;
    this.#arrived = noNodes;
    this.#ends = [];
  }

  #moved(nodes: Int32Array, room: number): Int32Array {
    const larger = this.#memory.takeWords(room);
    larger.set(nodes);
    if (nodes !== noNodes) this.#memory.giveWords(nodes);
    return larger;
  }
}

const noNodes = new Int32Array(0);
