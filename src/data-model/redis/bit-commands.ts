import { commandName } from './command-target.js';
import type { KeyCommands } from './key-commands.js';
import { bitmapWordCount, bytesOfBitfield, writeBitmapWords } from './native-bitmaps.js';
import { elementsOf } from './native-hyperloglogs.js';

/**
 * The commands that put bits and registers where they are in Kvrocks: into a string, as which Redis keeps bitmaps and
 * HyperLogLogs, or into the types of a store that has them as Kvrocks has.
 */
export class BitCommands {
  readonly #commands: KeyCommands;

  constructor(commands: KeyCommands) {
    this.#commands = commands;
  }

  setRange(key: Uint8Array, offset: number, value: Uint8Array): void {
    this.#commands.start(names.setrange, key, 2);
    this.#commands.target.text(String(offset));
    this.#commands.target.bytes(value);
  }

  /** Makes a string at least `size` bytes long without changing what it holds: adds 0 to its last bit. */
  lengthen(key: Uint8Array, size: number): void {
    this.#commands.start(names.bitfield, key, 4);
    const { target } = this.#commands;
    target.text('INCRBY');
    target.text('u1');
    target.text(String(size * 8 - 1));
    target.text('0');
  }

  /** Into a bitmap, where SETRANGE would make a string. */
  setWords(key: Uint8Array, offset: number, value: Uint8Array): void {
    for (let at = 0; at < value.length; at += bytesOfBitfield) {
      const bytes = value.subarray(at, at + bytesOfBitfield);
      this.#commands.start(names.bitfield, key, bitmapWordCount(bytes.length));
      writeBitmapWords(this.#commands.target, offset + at, bytes);
    }
  }

  /** Begins a HyperLogLog as Redis keeps it: a header, whose count is marked as stale, then the registers of all segments. */
  startDenseHyperLogLog(key: Uint8Array): void {
    this.setRange(key, 0, hyperLogLogHeader);
    this.lengthen(key, hyperLogLogBytes);
  }

  setDenseRegisters(key: Uint8Array, segment: number, registers: Uint8Array): void {
    if (registers.length === 0) return;
    this.setRange(key, hyperLogLogHeader.length + segment * registers.length, registers);
  }

  /** Into a HyperLogLog. False when a register holds what no element gives: then nothing was written. */
  raiseRegisters(key: Uint8Array, segment: number, registers: Uint8Array): boolean {
    if (registers.length === 0) {
      // An empty one: PFADD of nothing would not make it.
      this.#commands.start(names.pfmerge, key, 1);
      this.#commands.key(key);
      return true;
    }
    const elements = elementsOf(segment, registers);
    if (elements === undefined) return false;
    if (elements.length === 0) return true;
    this.#commands.start(names.pfadd, key, elements.length);
    for (const element of elements) this.#commands.target.bytes(element);
    return true;
  }
}

/** `HYLL`, dense encoding, three unused bytes, the cached count with its stale bit set. */
const hyperLogLogHeader = Buffer.from('48594c4c000000000000000000000080', 'hex');
const hyperLogLogBytes = 16 + 12_288;

const names = {
  setrange: commandName('SETRANGE'),
  bitfield: commandName('BITFIELD'),
  pfadd: commandName('PFADD'),
  pfmerge: commandName('PFMERGE'),
} as const;
