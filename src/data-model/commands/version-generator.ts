import { writeU32BigEndian } from '../../bytes/index.js';
import { versionBytes } from '../encoding/keys.js';

const counterValues = 0x800;

/**
 * Makes the versions of complex keys: microseconds since the epoch << 11 | counter.
 *
 * No version is made twice, not even when the clock stands still or runs backwards: then the last one is
 * counted on. After a restart the clock must have passed what was made before; a counter of 2,048 a
 * microsecond never runs ahead of it in practice.
 */
export class VersionGenerator {
  readonly #nowMs: () => number;
  #micros = 0;
  #counter = 0;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  /** 8 bytes, big-endian, greater than all before. Owns what it returns. */
  next(): Buffer {
    const micros = Math.floor(this.#nowMs() * 1000);
    if (micros > this.#micros) {
      this.#micros = micros;
      this.#counter = 0;
    } else if (++this.#counter === counterValues) {
      this.#micros++;
      this.#counter = 0;
    }
    const version = Buffer.allocUnsafe(versionBytes);
    // micros < 2^53 − 11 bits: split where the low word's 32 bits hold 21 bits of micros and the counter.
    writeU32BigEndian(version, 0, Math.floor(this.#micros / 0x20_0000));
    writeU32BigEndian(version, 4, (this.#micros % 0x20_0000) * counterValues + this.#counter);
    return version;
  }
}
