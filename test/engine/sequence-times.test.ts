import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { SequenceTimes } from '../../src/engine/sequence-times.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';

describe('the times of sequence numbers', () => {
  const directory = throwAwayDirectory('times');
  afterAll(() => directory.remove());

  /** A commit of one record every `stepMs`. */
  const history = (
    path: string,
    commits: number,
    stepMs: number,
    maxEntries = 1000,
  ): { times: SequenceTimes; end: number } => {
    let now = 1_000_000;
    const times = SequenceTimes.open(path, 0, { nowMs: () => now, maxEntries });
    for (let sequence = 1; sequence <= commits; sequence++) {
      now += stepMs;
      times.note(sequence);
    }
    return { times, end: now };
  };

  it('never pass over what came after a time, and give little of what came before', () => {
    const path = join(directory.path, 'fine');
    const { times } = history(path, 500, 100);
    for (let sequence = 0; sequence <= 500; sequence++) {
      const found = times.sequenceAt(1_000_000 + sequence * 100);
      expect(found).toBeLessThanOrEqual(sequence);
      expect(found).toBeGreaterThanOrEqual(sequence - 11);
    }
    expect(times.sequenceAt(0)).toBe(0);
    times.close();
  });

  it('are there after a restart, and cut where they make no sense', () => {
    const path = join(directory.path, 'restart');
    const { times, end } = history(path, 500, 100);
    times.close();
    const reopened = SequenceTimes.open(path, 500, { nowMs: () => end + 1 });
    expect(reopened.sequenceAt(end)).toBe(500);
    expect(reopened.sequenceAt(1_025_000)).toBeGreaterThan(238);
    truncateSync(path, readFileSync(path).length - 5);
    expect(SequenceTimes.open(path, 500, { nowMs: () => end + 1 }).sequenceAt(1_025_000)).toBeGreaterThan(
      238,
    );
    // The store was restored from a copy that ends at 100.
    const restored = SequenceTimes.open(path, 100, { nowMs: () => end + 1 });
    expect(restored.sequenceAt(end)).toBeLessThanOrEqual(100);
    expect(restored.fault).toBeUndefined();
    writeFileSync(path, Buffer.alloc(64));
    expect(SequenceTimes.open(path, 500, { nowMs: () => end + 1 }).sequenceAt(end)).toBe(0);
  });

  it('say what is lost of them when their file holds something else, and keep what is sound', async () => {
    const path = join(directory.path, 'garbage');
    const { times, end } = history(path, 500, 100);
    times.close();
    const sound = readFileSync(path);
    const open = (bytes: Buffer): SequenceTimes => {
      writeFileSync(path, bytes);
      return SequenceTimes.open(path, 500, { nowMs: () => end + 1 });
    };
    expect(open(sound).fault).toBeUndefined();
    expect(open(sound.subarray(0, -5)).fault).toBeUndefined(); // as a crash leaves it
    for (const garbage of [Buffer.alloc(40), Buffer.from('these are no times of anything, no'), sound]) {
      const damaged = open(Buffer.concat([sound, garbage]));
      expect(damaged.fault).toEqual({
        file: path,
        reason: expect.stringMatching(new RegExp(`^entries were damaged .* at offset ${sound.length}$`)),
      });
      expect(damaged.sequenceAt(1_025_000)).toBeGreaterThan(238);
      expect(readFileSync(path).subarray(0, sound.length).equals(sound)).toBe(true);
      expect(open(readFileSync(path)).fault).toBeUndefined();
    }
    expect(open(Buffer.alloc(80)).fault?.reason).toContain('dropped: 4');
  });

  it('lose the one entry in which a byte is damaged, whichever that is, and no other', () => {
    const path = join(directory.path, 'bits');
    const { times, end } = history(path, 20, 1_000);
    times.close();
    const sound = readFileSync(path);
    for (let byte = 0; byte < sound.length; byte++) {
      const bytes = Buffer.from(sound);
      bytes[byte] ^= 1 << (byte & 7);
      writeFileSync(path, bytes);
      const damaged = SequenceTimes.open(path, 20, { nowMs: () => end + 1 });
      const offset = byte - (byte % 20);
      expect(damaged.fault?.reason).toContain(`dropped: 1, the first at offset ${offset}`);
      const kept = [sound.subarray(0, offset), sound.subarray(offset + 20)];
      expect(readFileSync(path).equals(Buffer.concat(kept))).toBe(true);
    }
  });

  it('are read as older versions stored them, and stored with checksums then', () => {
    const path = join(directory.path, 'older');
    const { times, end } = history(path, 100, 1_000);
    times.close();
    const bytes = readFileSync(path);
    const older = Buffer.concat(
      Array.from({ length: bytes.length / 20 }, (_, i) => bytes.subarray(20 * i, 20 * i + 16)),
    );
    for (let at = 7; at < older.length; at += 16) older[at] = 0;
    writeFileSync(path, Buffer.concat([older, Buffer.alloc(5)]));
    const read = SequenceTimes.open(path, 100, { nowMs: () => end + 1 });
    expect(read.fault).toBeUndefined();
    expect(readFileSync(path).equals(bytes)).toBe(true);
    older.fill(0xff, 16 * 50, 16 * 50 + 8);
    writeFileSync(path, older);
    expect(SequenceTimes.open(path, 100, { nowMs: () => end + 1 }).fault?.reason).toContain('offset 800');
    expect(readFileSync(path).length).toBe(bytes.length - 20);
  });

  it('keep no store from opening, whatever stands where their file is', async () => {
    const path = join(directory.path, 'no-file');
    mkdirSync(join(path, 'SEQUENCE-TIMES'), { recursive: true });
    for (let i = 1; i <= 2; i++) {
      await using engine = await Engine.open(path);
      expect(engine.timesFault?.reason).toContain('EISDIR');
      await engine.write(new WriteBatchBuilder().put(0, Buffer.from(`${i}`), Buffer.from('v')).finish());
      expect(engine.sequenceAt(Date.now() + 60_000)).toBe(i); // beyond the moment at which it looks at the clock itself
    }
  });

  it('become coarser instead of more', () => {
    const path = join(directory.path, 'coarse');
    const { times } = history(path, 20_000, 1_000, 640);
    expect(readFileSync(path).length).toBeLessThanOrEqual(640 * 20);
    for (const sequence of [1_000, 10_000, 19_000, 19_980]) {
      const found = times.sequenceAt(1_000_000 + sequence * 1_000);
      expect(found).toBeLessThanOrEqual(sequence);
      expect(sequence - found).toBeLessThan(2 + (20_000 - sequence) / 20);
    }
  });

  it('do not run backwards with the clock', () => {
    let now = 5_000;
    const times = SequenceTimes.open(join(directory.path, 'clock'), 0, { nowMs: () => now });
    times.note(1);
    now = 1_000;
    times.note(2);
    now = 9_000;
    times.note(3);
    times.close();
    expect(times.sequenceAt(5_000)).toBeLessThanOrEqual(2);
    expect(times.sequenceAt(9_000)).toBe(3);
  });

  it('are known again when the clock was years ahead and is set right, at once or after a restart', () => {
    const right = Date.parse('2026-01-01');
    const ahead = Date.parse('2030-01-01');
    for (const isRestarted of [false, true]) {
      const path = join(directory.path, `ahead-${isRestarted}`);
      let now = right;
      const open = (sequence: number): SequenceTimes =>
        SequenceTimes.open(path, sequence, { nowMs: () => now });
      let times = open(0);
      let sequence = 0;
      const commit = (count: number): void => {
        for (let i = 0; i < count; i++) {
          now += 1_000;
          times.note(++sequence);
        }
      };
      commit(10);
      now = ahead;
      commit(10);
      now = right + 20_000;
      if (isRestarted) {
        times.close();
        times = open(sequence);
      }
      commit(10);
      for (const reader of [times, open(sequence)]) {
        expect(reader.sequenceAt(right + 5_000)).toBeLessThanOrEqual(5);
        expect(reader.sequenceAt(right + 5_000)).toBeGreaterThan(2);
        expect(reader.sequenceAt(right + 25_000)).toBeLessThanOrEqual(25);
        expect(reader.sequenceAt(right + 25_000)).toBeGreaterThan(22);
        expect(reader.fault).toBeUndefined();
      }
    }
  });

  it('are told by an engine that was opened again', async () => {
    const path = join(directory.path, 'store');
    const before = Date.now() - 1;
    const engine = await Engine.open(path, { sync: 'none' });
    for (let i = 0; i < 10; i++)
      engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`${i}`), Buffer.from('v')).finish());
    await engine.close();
    const again = await Engine.open(path);
    expect([again.sequenceAt(before), again.sequenceAt(Date.now() + 60_000)]).toEqual([0, 10]);
    await again.close();
  });
});
