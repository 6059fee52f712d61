/**
 * Sizes of free runs sorted into classes: exact up to `exactUnits`, then sixteen to the octave up to the longest
 * request, then one for everything longer. Class numbers rise with the size; 0 is none.
 */
export class SizeClasses {
  /** Class of every length from 1 to `maxRunUnits`, and of all longer runs at `maxRunUnits + 1`. */
  readonly ofLength: Uint16Array;
  /** The class of runs longer than any request. */
  readonly longest: number;
  readonly exactUnits: number;
  readonly maxRunUnits: number;

  constructor(maxRunUnits: number, exactUnits = 64) {
    this.maxRunUnits = maxRunUnits;
    this.exactUnits = Math.min(exactUnits, maxRunUnits);
    this.ofLength = new Uint16Array(maxRunUnits + 2);
    let current = 0;
    let previousStep = -1;
    for (let length = 1; length <= maxRunUnits; length++) {
      const exponent = 31 - Math.clz32(length);
      const step = length <= exactUnits ? length : (exponent << 16) | ((length >>> (exponent - 4)) & 15);
      if (step !== previousStep) current++;
      previousStep = step;
      this.ofLength[length] = current;
    }
    this.longest = ++current;
    this.ofLength[maxRunUnits + 1] = current;
  }

  /** One more than the largest class number. */
  get limit(): number {
    return this.longest + 1;
  }
}
