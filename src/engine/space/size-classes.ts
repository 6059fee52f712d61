import { shortLimit } from './short-runs.js';

/**
 * Lengths of free runs from `shortLimit` units on sorted into classes: exact up to `exactUnits`, then sixteen to the
 * octave up to the longest request, then one for everything longer. Class numbers rise with the length; 0 is none.
 */
export class SizeClasses {
  /** Class of every length up to `maxRunUnits`, and of all longer runs at `maxRunUnits + 1`. */
  readonly ofLength: Uint16Array;
  /** The largest class of a single length. */
  readonly lastExact: number;
  /** The class of runs longer than any request. */
  readonly longest: number;
  readonly maxRunUnits: number;

  /** Of requests up to `maxRunUnits`, or as many as are short. */
  constructor(maxRunUnits: number, exactUnits = 64) {
    this.maxRunUnits = Math.max(maxRunUnits, shortLimit - 1);
    this.ofLength = new Uint16Array(this.maxRunUnits + 2);
    let current = 0;
    let previousStep = -1;
    for (let length = shortLimit; length <= this.maxRunUnits; length++) {
      const exponent = 31 - Math.clz32(length);
      const step = length <= exactUnits ? length : (exponent << 16) | ((length >>> (exponent - 4)) & 15);
      if (step !== previousStep) current++;
      previousStep = step;
      this.ofLength[length] = current;
    }
    this.lastExact = this.ofLength[Math.min(exactUnits, this.maxRunUnits)];
    this.longest = ++current;
    this.ofLength[this.maxRunUnits + 1] = current;
  }

  /** One more than the largest class number. */
  get limit(): number {
    return this.longest + 1;
  }
}
