import { describe, expect, it } from 'vitest';
import {
  readSpace,
  SpaceMap,
  type SpaceMapLocation,
  type SpaceMapPlan,
  type SpacePin,
  VersionedSpace,
} from '../../../src/engine/space/index.js';
import { SeededRandom } from '../../support/seeded-random.js';

const unitBytes = 512; // 4,096 units to a page of the bitmap
const options = { unitBytes, maxRunUnits: 64 };

const liveUnitsOf = (space: VersionedSpace, pin?: SpacePin): Set<number> => {
  const units = new Set<number>();
  for (let page = 0; page < space.pageCount; page++) {
    const bits = space.pageAt(pin, page);
    for (let at = 0; at < space.pageUnits; at++)
      if ((bits[at >>> 5] >>> (at & 31)) & 1) units.add(page * space.pageUnits + at);
  }
  return units;
};

const without = (units: ReadonlySet<number>, ...others: ReadonlySet<number>[]): Set<number> =>
  new Set([...units].filter((unit) => !others.some((other) => other.has(unit))));

/** A state that someone holds: the pin, and what it must contain. */
interface Held {
  readonly pin: SpacePin;
  readonly units: ReadonlySet<number>;
}

const expectHeld = (space: VersionedSpace, live: ReadonlySet<number>, held: readonly Held[]): void => {
  space.reclaim();
  space.check();
  space.offerAll();
  space.check();
  const inUse = new Set(live);
  for (const { units } of held) for (const unit of units) inUse.add(unit);
  expect(space.units - space.freeUnits).toBe(inUse.size);
  expect(space.liveUnits).toBe(live.size);
  expect(liveUnitsOf(space)).toEqual(live);
  for (const [i, { pin, units }] of held.entries()) {
    expect(liveUnitsOf(space, pin)).toEqual(units);
    const others = held.filter((other) => other.pin !== pin).map((other) => other.units);
    const sharers = held.filter((other) => other.pin === pin).length;
    if (sharers === 1) expect(space.uniqueUnits(pin)).toBe(without(units, live, ...others).size);
    const written = new Set<number>();
    const newer = held[i + 1];
    space.forEachWrittenRun(pin, newer?.pin, (start, length) => {
      for (let unit = start; unit < start + length; unit++) written.add(unit);
    });
    expect(written).toEqual(without(newer?.units ?? live, units));
  }
};

/** Random work on a space beside a model: which units the newest state uses, in runs. */
class Churn {
  readonly random: SeededRandom;
  space: VersionedSpace;
  live = new Set<number>();

  constructor(random: SeededRandom, space: VersionedSpace) {
    this.random = random;
    this.space = space;
  }

  step(): void {
    const { random, space } = this;
    if (random.next() < 0.5 || this.live.size === 0) {
      const length = 1 + random.below(random.next() < 0.1 ? 100 : 12);
      const runs =
        random.next() < 0.8
          ? [{ start: space.allocate(length), length }]
          : (space.allocateRuns(length) ?? []);
      for (const run of runs) {
        if (run.start < 0) {
          space.grow(space.units + 1 + random.below(3000));
          continue;
        }
        for (let unit = run.start; unit < run.start + run.length; unit++) {
          expect(this.live.has(unit)).toBe(false);
          this.live.add(unit);
        }
      }
    } else {
      // A run of live units from a random one on, cut without regard to how it was allocated.
      let start = random.below(space.units);
      while (!this.live.has(start)) start = (start + 1) % space.units;
      let length = 1;
      while (length < 10 && this.live.has(start + length)) length++;
      space.release(start, length);
      for (let unit = start; unit < start + length; unit++) this.live.delete(unit);
    }
  }
}

describe('versioned space', () => {
  it('hands out a unit again only when no pinned state contains it', () => {
    const random = SeededRandom.fromEnvironment('versioned space pins');
    for (let round = 0; round < 4; round++) {
      const churn = new Churn(random, new VersionedSpace(500 + random.below(10_000), options));
      const held: Held[] = [];
      for (let step = 0; step < 600; step++) {
        for (let i = random.below(8); i >= 0; i--) churn.step();
        const action = random.next();
        if (random.next() < 0.1) churn.space.withholdFrom(random.below(churn.space.units));
        if (action < 0.1) held.push({ pin: churn.space.pin(), units: new Set(churn.live) });
        else if (action < 0.2 && held.length > 0) {
          const [{ pin }] = held.splice(random.below(held.length), 1) as [Held];
          pin.release();
          if (random.next() < 0.5) churn.space.reclaim(1);
        }
        if (step % 40 === 39) expectHeld(churn.space, churn.live, held);
      }
      for (const { pin } of held.splice(0)) pin.release();
      expectHeld(churn.space, churn.live, []);
      expect(churn.space.retainedUnits).toBe(0);
      for (const unit of churn.live) churn.space.release(unit, 1);
      expect(churn.space.freeUnits).toBe(churn.space.units);
    }
  });

  it('counts no run of several that were taken at once to a state that was pinned before', () => {
    const space = new VersionedSpace(60, options);
    space.allocate(60);
    for (const at of [5, 15, 25, 35]) space.release(at, 3);
    const pin = space.pin();
    const before = liveUnitsOf(space);
    const runs = space.allocateRuns(10) ?? [];
    expect(runs.length).toBe(4);
    expect(liveUnitsOf(space, pin)).toEqual(before);
    for (const { start, length } of runs) space.release(start, length);
    expect(space.retainedUnits).toBe(0);
    space.check();
  });

  it('comes back with its pinned states after a crash at any moment, without a leak', () => {
    const random = SeededRandom.fromEnvironment('versioned space crashes');
    const file = new Map<number, Uint8Array>();
    const read = (unit: number, byteLength: number): Uint8Array => {
      const units = Math.ceil(byteLength / unitBytes);
      return Buffer.concat(
        Array.from({ length: units }, (_, i) => file.get(unit + i) ?? Buffer.alloc(0)),
      ).subarray(0, byteLength);
    };
    /** Writes a plan, or as many of its writes as a crash or a full disk lets through. */
    const write = (plan: SpaceMapPlan, count: number): SpaceMapLocation => {
      let written = 0;
      return plan.writeTo((unit, bytes) => {
        if (written++ >= count) return;
        for (let at = 0; at < bytes.length; at += unitBytes) {
          const piece = Buffer.alloc(unitBytes);
          piece.set(bytes.subarray(at, at + unitBytes));
          file.set(unit + at / unitBytes, piece);
        }
      });
    };
    let churn = new Churn(random, new VersionedSpace(9_000, options));
    let map = new SpaceMap(churn.space);
    /** The durable state, then the checkpoints, oldest first: what a superblock and a catalog would hold. */
    let durable: (Held & { location: SpaceMapLocation; data: ReadonlySet<number> }) | undefined;
    let checkpoints: (Held & { location: SpaceMapLocation; data: ReadonlySet<number> })[] = [];
    for (let step = 0; step < 150; step++) {
      for (let i = random.below(40); i >= 0; i--) churn.step();
      const data = new Set(churn.live);
      if (random.next() < 0.3) churn.space.withholdFrom(random.below(churn.space.units));
      const plan = map.plan();
      const units = liveUnitsOf(churn.space);
      for (const unit of data) expect(units.has(unit)).toBe(true);
      if (random.next() < 0.5) churn.space.offerAll();
      const outcome = random.next();
      if (outcome < 0.7) {
        if (random.next() < 0.3) churn.space.release(churn.space.allocate(3), 3); // the map is of the state as planned
        const location = write(plan, plan.count);
        map.commit();
        if (durable !== undefined) durable.pin.release();
        durable = { pin: plan.pin, units, location, data };
        const change = random.next();
        if (change < 0.2) checkpoints.push({ ...durable, pin: durable.pin.retain() });
        else if (change < 0.4 && checkpoints.length > 0)
          checkpoints.splice(random.below(checkpoints.length), 1)[0]?.pin.release();
        churn.space.reclaim(random.below(4));
      } else if (outcome < 0.85 || durable === undefined) {
        write(plan, random.below(plan.count)); // the disk was full: the state stays in memory only
        plan.pin.release();
      } else {
        write(plan, random.below(plan.count + 1));
        const locations = checkpoints.map(({ location }) => location);
        const reopened = readSpace(options, read, durable.location, locations);
        map = reopened.map;
        churn = new Churn(random, reopened.space);
        checkpoints = checkpoints.map((held, i) => ({ ...held, pin: reopened.pins[i] }));
        durable = { ...durable, pin: reopened.space.pin() };
        churn.live = new Set(durable.data);
        expectHeld(reopened.space, durable.units, checkpoints);
      }
    }
    for (const { pin } of checkpoints) pin.release();
    churn.space.offerAll();
    const { byteLength } = write(map.plan(), 0);
    durable?.pin.release();
    churn.space.reclaim();
    expect(churn.space.retainedUnits).toBe(0);
    // What is in use beside the data is the map itself.
    const mapUnits = churn.space.pageCount + Math.ceil(byteLength / unitBytes);
    expect(churn.space.liveUnits - churn.live.size).toBeLessThanOrEqual(mapUnits);
  });

  it('hands out units at the front while those behind are withheld, and all of them when nothing else fits', () => {
    const space = new VersionedSpace(1_000, options);
    const first = space.allocate(900);
    space.release(first, 800);
    const pin = space.pin();
    space.withholdFrom(500);
    expect(space.allocate(100)).toBe(0); // best fit would have been at 900
    expect(space.allocate(400)).toBe(100);
    expect(space.allocate(300)).toBe(500);
    space.offerAll();
    expect([space.freeUnits, space.retainedUnits]).toEqual([100, 0]);
    space.check();
    pin.release();
  });

  it('is pinned again where nothing has changed since a pin that nobody holds any more', () => {
    const space = new VersionedSpace(1_000, options);
    space.pin().release();
    const pin = space.pin();
    space.allocate(10);
    space.reclaim();
    expect(liveUnitsOf(space, pin).size).toBe(0);
    pin.release();
  });

  it('gets back what a pin held page by page, as many as are asked for', () => {
    const space = new VersionedSpace(3 * 4_096, options);
    space.allocate(3 * 4_096);
    const pin = space.pin();
    space.release(0, 3 * 4_096);
    pin.release();
    const free: number[] = [];
    while (space.reclaim(1)) free.push(space.freeUnits);
    expect(free.slice(0, 3)).toEqual([4_096, 8_192, 12_288]);
  });

  it('is written without the pages that it has lost since they changed', () => {
    const space = new VersionedSpace(3 * 4_096, options);
    const map = new SpaceMap(space);
    space.allocate(100);
    const run = space.allocate(12_000);
    space.release(0, 100);
    const first = map.plan();
    first.writeTo(() => {}); // which never becomes durable
    space.release(run, 12_000);
    first.pin.release();
    space.reclaim();
    space.shrink(100);
    const file = new Map<number, Buffer>();
    const second = map.plan();
    const location = second.writeTo((unit, bytes) => file.set(unit, Buffer.from(bytes)));
    expect(space.liveUnits).toBe(2); // a table and a page
    const read = (unit: number): Uint8Array => file.get(unit) ?? Buffer.alloc(0);
    expect(readSpace(options, read, location).space.units).toBe(100);
  });

  it('refuses to release what is not live, and a map that is damaged', () => {
    const space = new VersionedSpace(10_000, options);
    const start = space.allocate(10);
    const pin = space.pin();
    space.release(start, 10);
    expect(space.retainedUnits).toBe(10);
    expect(() => space.release(start, 1)).toThrow(/released already/);
    expect(() => space.release(start + 10, 1)).toThrow(/not all in use/);
    expect(() => space.release(9_999, 2)).toThrow(/outside the space/);
    pin.release();
    expect(() => pin.release()).toThrow(/released already/);
    expect(() => pin.retain()).toThrow(/cannot be retained/);
    space.reclaim();
    expect(space.freeUnits).toBe(10_000);
    space.allocate(3);
    const file = new Map<number, Buffer>();
    const location = new SpaceMap(space).plan().writeTo((unit, bytes) => file.set(unit, Buffer.from(bytes)));
    const read = (unit: number, byteLength: number): Uint8Array =>
      (file.get(unit) ?? Buffer.alloc(0)).subarray(0, byteLength);
    expect(readSpace(options, read, location).space.liveUnits).toBe(space.liveUnits);
    for (const bytes of file.values()) {
      bytes[21] ^= 4;
      expect(() => readSpace(options, read, location)).toThrow(/damaged at unit/);
      bytes[21] ^= 4;
    }
    expect(() => readSpace({ unitBytes: 4096 }, read, location)).toThrow(/units of 512 bytes, not 4096/);
  });
});
