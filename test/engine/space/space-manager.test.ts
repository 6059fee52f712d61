import { describe, expect, it } from 'vitest';
import { SpaceJournal, SpaceManager } from '../../../src/engine/space/index.js';
import { shortLimit } from '../../../src/engine/space/short-runs.js';
import { SizeClasses } from '../../../src/engine/space/size-classes.js';
import { SeededRandom } from '../../support/seeded-random.js';

const maxRunUnits = 320;
const options = { maxRunUnits };
const classOfLong = new SizeClasses(maxRunUnits).ofLength;
/** Of longer runs; what is short has a class for each length. */
const regionUnits = 1024;

/** The placement that is promised, found by looking at every free run. */
class ModelSpace {
  readonly isUsed: boolean[];

  constructor(units: number) {
    this.isUsed = new Array<boolean>(units).fill(false);
  }

  freeRuns(): [start: number, length: number][] {
    const runs: [number, number][] = [];
    for (let unit = 0; unit < this.isUsed.length; unit++) {
      if (this.isUsed[unit]) continue;
      const start = unit;
      while (unit < this.isUsed.length && !this.isUsed[unit]) unit++;
      runs.push([start, unit - start]);
    }
    return runs;
  }

  /** Where a request goes; -1 = nowhere. */
  placeOf(length: number): number {
    const runs = this.freeRuns();
    const lowest = (fits: (start: number, run: number) => boolean): number =>
      runs.find(([start, run]) => fits(start, run))?.[0] ?? -1;
    if (length > maxRunUnits) return lowest((_, run) => run >= length);
    const classOfRun = (run: number): number =>
      run < shortLimit ? run - shortLimit : classOfLong[Math.min(run, maxRunUnits + 1)];
    const own = classOfRun(length);
    // Of its own class the lowest region is looked at; then the next class, whose runs are all long enough.
    const region = Math.floor(lowest((_, run) => classOfRun(run) === own) / regionUnits);
    const near = lowest(
      (start, run) => Math.floor(start / regionUnits) === region && classOfRun(run) === own && run >= length,
    );
    if (near >= 0) return near;
    const next = Math.min(...runs.map(([, run]) => classOfRun(run)).filter((sizeClass) => sizeClass > own));
    const larger = lowest((_, run) => classOfRun(run) === next);
    return larger >= 0 ? larger : lowest((_, run) => run >= length);
  }

  mark(start: number, length: number, isUsed: boolean): void {
    this.isUsed.fill(isUsed, start, start + length);
  }
}

const freeRunsOf = (space: SpaceManager): [number, number][] => {
  const runs: [number, number][] = [];
  space.forEachFreeRun((start, length) => runs.push([start, length]));
  return runs;
};

describe('space manager', () => {
  it('places every run as a plain model does, through frees, growth, cuts and rebuilds', () => {
    const random = SeededRandom.fromEnvironment('space manager model');
    for (let round = 0; round < 4; round++) {
      let units = 2_000 + random.below(8_000);
      let space = new SpaceManager(units, options);
      let model = new ModelSpace(units);
      const live: [start: number, length: number][] = [];
      for (let step = 0; step < 1_200; step++) {
        const action = random.next();
        if (action < 0.5) {
          const length = 1 + random.below(random.next() < 0.1 ? maxRunUnits + 50 : 40);
          const expected = model.placeOf(length);
          expect(space.allocate(length)).toBe(expected);
          if (expected >= 0) {
            model.mark(expected, length, true);
            live.push([expected, length]);
          }
        } else if (action < 0.53) {
          const length = 1 + random.below(2 * maxRunUnits);
          const before = space.freeUnits;
          const runs = space.allocateRuns(length, 4);
          const longest = model
            .freeRuns()
            .map(([, run]) => run)
            .sort((a, b) => b - a);
          if (runs === undefined) {
            expect(space.freeUnits).toBe(before);
            expect(longest[0] ?? 0).toBeLessThan(length);
          } else {
            expect(runs.length).toBeLessThanOrEqual(4);
            if (runs.length > 1) expect(longest[0]).toBeLessThan(length);
            expect(runs.reduce((total, run) => total + run.length, 0)).toBe(length);
            for (const run of runs) {
              expect(model.isUsed.slice(run.start, run.start + run.length)).not.toContain(true);
              model.mark(run.start, run.length, true);
              live.push([run.start, run.length]);
            }
          }
        } else if (action < 0.55) {
          const runs = model.freeRuns();
          if (runs.length === 0) continue;
          const [first, run] = runs[random.below(runs.length)];
          const skipped = random.below(run);
          const length = 1 + random.below(run - skipped);
          space.reserve(first + skipped, length);
          model.mark(first + skipped, length, true);
          live.push([first + skipped, length]);
        } else if (action < 0.97 && live.length > 0) {
          const [entry] = live.splice(random.below(live.length), 1) as [[number, number]];
          space.free(...entry);
          model.mark(...entry, false);
        } else if (action < 0.975) {
          const tail = model.isUsed.length - 1 - model.isUsed.lastIndexOf(true);
          expect(space.freeTailUnits).toBe(tail);
          const dropped = random.below(Math.min(tail, 500) + 1);
          if (dropped === 0) continue;
          units -= dropped;
          space.shrink(units);
          model.isUsed.length = units;
        } else if (action < 0.985) {
          const more = random.below(500) + 1;
          space.grow(units + more);
          const grown = new ModelSpace(units + more);
          grown.isUsed.splice(0, units, ...model.isUsed);
          model = grown;
          units += more;
        } else {
          space = new SpaceManager(units, options, Buffer.from(space.serialize()));
        }
        expect(space.freeUnits).toBe(model.isUsed.filter((isUsed) => !isUsed).length);
      }
      expect(freeRunsOf(space)).toEqual(model.freeRuns());
      space.check();
      for (const [start, length] of live) space.free(start, length);
      expect(freeRunsOf(space)).toEqual(units === 0 ? [] : [[0, units]]);
    }
  });

  it('finds a run whole that was given back piece by piece, in whatever order', () => {
    const random = SeededRandom.fromEnvironment('space manager pieces');
    for (let round = 0; round < 60; round++) {
      const units = 400 + random.below(4_000);
      const space = new SpaceManager(units, options);
      const pieces: [start: number, length: number][] = [];
      for (let free = units; free > 0; free = space.freeUnits) {
        const length = Math.min(free, 1 + random.below(random.next() < 0.05 ? 200 : 31));
        pieces.push([space.allocate(length), length]);
      }
      const order = round % 3;
      if (order === 1) pieces.reverse();
      if (order === 2)
        for (let i = pieces.length - 1; i > 0; i--) {
          const j = random.below(i + 1);
          [pieces[i], pieces[j]] = [pieces[j], pieces[i]];
        }
      const kept = round % 2 === 0 ? 0 : random.below(pieces.length);
      for (const [i, piece] of pieces.entries()) {
        if (i === kept) continue;
        space.free(...piece);
        if (random.next() < 0.02) space.check();
      }
      space.check();
      const rebuilt = new SpaceManager(units, options, Buffer.from(space.serialize()));
      for (const length of [maxRunUnits + 1, maxRunUnits, 100, 40, 31, 7, 1])
        expect(space.allocate(length)).toBe(rebuilt.allocate(length));
    }
  });

  it('makes the same choices after a rebuild from its bitmap', () => {
    const random = SeededRandom.fromEnvironment('space manager rebuild');
    const original = new SpaceManager(50_000, options);
    const live: [number, number][] = [];
    const step = (space: SpaceManager, numbers: SeededRandom, held: [number, number][]): number => {
      if (held.length > 800 || (held.length > 0 && numbers.next() < 0.45)) {
        const [entry] = held.splice(numbers.below(held.length), 1) as [[number, number]];
        space.free(...entry);
        return entry[0];
      }
      const length = 1 + numbers.below(maxRunUnits);
      const start = space.allocate(length);
      if (start >= 0) held.push([start, length]);
      return start;
    };
    for (let i = 0; i < 5_000; i++) step(original, random, live);
    const rebuilt = new SpaceManager(50_000, options, Buffer.from(original.serialize()));
    const copy = live.map((entry): [number, number] => [...entry]);
    const seed = random.below(2 ** 31);
    const [one, other] = [new SeededRandom(seed), new SeededRandom(seed)];
    for (let i = 0; i < 5_000; i++) expect(step(rebuilt, other, copy)).toBe(step(original, one, live));
  });

  it('shrinks by the free tail only, and refuses to free or reserve twice', () => {
    const space = new SpaceManager(1_000, options);
    const first = space.allocate(10);
    const second = space.allocate(10);
    space.free(first, 10);
    expect(space.freeTailUnits).toBe(980);
    expect(() => space.shrink(15)).toThrow(/980 units at the end are free/);
    space.shrink(20);
    expect([space.units, space.freeUnits]).toEqual([20, 10]);
    expect(() => space.free(first, 10)).toThrow(/not all in use/);
    expect(() => space.reserve(second, 1)).toThrow(/not all free/);
    space.reserve(first, 10);
    expect(space.freeUnits).toBe(0);
    expect(space.allocate(1)).toBe(-1);
  });

  it('knows every free run where the longest request is shorter than a word, too', () => {
    const random = SeededRandom.fromEnvironment('space manager of short runs');
    const space = new SpaceManager(3_000, { maxRunUnits: 5 });
    const live: [number, number][] = [];
    for (let step = 0; step < 2_000; step++) {
      if (live.length > 0 && random.next() < 0.48)
        space.free(...(live.splice(random.below(live.length), 1) as [[number, number]])[0]);
      else {
        const length = 1 + random.below(random.next() < 0.9 ? 5 : 60);
        const longest = Math.max(0, ...freeRunsOf(space).map(([, run]) => run));
        const start = space.allocate(length);
        expect(start >= 0).toBe(length <= longest);
        if (start >= 0) live.push([start, length]);
      }
      if (step % 50 === 0) space.check();
    }
    for (const [start, length] of live) space.free(start, length);
    expect(freeRunsOf(space)).toEqual([[0, 3_000]]);
  });

  it('finds runs in the larger regions of a large space, to its very end', () => {
    const units = 2 ** 26 + 1_000;
    const space = new SpaceManager(units, options);
    expect(space.allocate(units - 10)).toBe(0);
    expect(space.allocate(10)).toBe(units - 10);
    for (const [start, length] of [
      [units - 10, 10],
      [2 ** 26 - 3, 7],
      [1_020, 8],
      [5_000, 100],
    ] as const) {
      space.free(start, length);
      space.check();
      expect(space.allocate(length)).toBe(start);
      expect(space.allocate(1)).toBe(-1);
    }
  });

  it('says what is wrong with a request or a bitmap', () => {
    const space = new SpaceManager(100, options);
    expect(() => space.allocate(0)).toThrow(/1 unit or more/);
    expect(() => space.allocate(1.5)).toThrow(/1 unit or more/);
    expect(() => new SpaceManager(100, options, new Uint8Array(12))).toThrow(/12 bytes, expected 13/);
    expect(() => new SpaceManager(2 ** 32, options)).toThrow(/outside 0 to/);
  });
});

describe('space journal', () => {
  it('replays onto the saved bitmap to the very state that was lost, up to a torn frame', () => {
    const random = SeededRandom.fromEnvironment('space journal');
    const units = 30_000;
    const space = new SpaceManager(units, options);
    const live: [number, number][] = [];
    const journal = new SpaceJournal();
    const step = (): void => {
      if (live.length > 300 || (live.length > 0 && random.next() < 0.4)) {
        const [[start, length]] = live.splice(random.below(live.length), 1) as [[number, number]];
        space.free(start, length);
        journal.freed(start, length);
      } else {
        const length = 1 + random.below(200);
        const start = space.allocate(length);
        if (start < 0) return;
        live.push([start, length]);
        journal.allocated(start, length);
      }
    };
    for (let i = 0; i < 1_000; i++) step();
    journal.takeFrame();
    const bitmap = Uint8Array.from(space.serialize());
    const frames: Buffer[] = [];
    const states: Buffer[] = [Buffer.from(bitmap)];
    for (let frame = 0; frame < 20; frame++) {
      for (let i = random.below(200); i >= 0; i--) step();
      frames.push(journal.takeFrame());
      states.push(Buffer.from(space.serialize()));
    }
    const whole = Buffer.concat(frames);
    for (let i = 0; i < 50; i++) {
      const cut = random.below(whole.length + 1);
      const torn = whole.subarray(0, cut);
      const { space: recovered, replay } = SpaceManager.recover(units, options, bitmap, torn);
      let frame = 0;
      let at = 0;
      while (frame < frames.length && at + frames[frame].length <= cut) at += frames[frame++].length;
      expect(replay.byteLength).toBe(at);
      expect(Buffer.from(recovered.serialize())).toEqual(states[frame]);
      recovered.check();
    }
    expect(() => SpaceManager.recover(units, options, space.serialize(), whole)).toThrow(/contradicts/);
  });
});
