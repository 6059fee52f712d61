import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HeapProfiler, type HeapSummary } from '../../../src/engine/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { collectGarbage } from '../../support/collect-garbage.js';

const directory = throwAwayDirectory('heap');
afterAll(() => directory.remove());

const keepABigArray = (length = 1_000_000): number[] => new Array<number>(length).fill(1.5);

const readSummary = (path: string): HeapSummary => JSON.parse(readFileSync(path, 'utf8')) as HeapSummary;

describe('heap profiler', () => {
  it('tells what the heap is used for, by stack, as a .heapprofile and in JSON', () => {
    using profiler = new HeapProfiler({ root: directory.path, samplingBytes: 64 * 1024 });
    expect(profiler.isActive).toBe(false);
    expect(() => profiler.dump('.', {})).toThrow(/never switched on/);
    profiler.enable();
    profiler.enable();
    expect(profiler.isActive).toBe(true);
    const kept = keepABigArray();
    const dump = profiler.dump('.', { memtable: 4711 });
    expect(basename(dump.profile)).toMatch(/^jeprof-.*\.heapprofile$/);
    const profile = JSON.parse(readFileSync(dump.profile, 'utf8')) as { head: { children: unknown[] } };
    expect(profile.head.children.length).toBeGreaterThan(0);
    const summary = readSummary(dump.summary);
    expect(summary.owners).toEqual({ memtable: 4711 });
    expect(summary.profile).toMatchObject({ isActive: true, samplingBytes: 64 * 1024 });
    expect(summary.heap.largestAllocation.bytes).toBeGreaterThanOrEqual(kept.length * 8);
    expect(summary.heap.largestAllocation.frames.join('\n')).toContain('keepABigArray');
    expect(summary.heap.liveBytes).toBeGreaterThanOrEqual(kept.length * 8);
    expect(summary.heap.allocatedSamples).toBeGreaterThanOrEqual(summary.heap.liveSamples);
    expect(summary.stacks[0]?.bytes).toBeGreaterThanOrEqual(kept.length * 8);
  });

  it('keeps the last profile after it is switched off, and counts what was collected', () => {
    using profiler = new HeapProfiler({ root: directory.path, samplingBytes: 16 * 1024 });
    profiler.enable();
    for (let i = 0; i < 500; i++) keepABigArray(5_000);
    const kept = keepABigArray();
    collectGarbage();
    profiler.disable();
    profiler.disable();
    expect(profiler.activeSinceMs).toBeUndefined();
    const summary = readSummary(profiler.dump('.', {}).summary);
    expect(summary.profile.isActive).toBe(false);
    expect(summary.heap.allocatedSamples).toBeGreaterThan(summary.heap.liveSamples);
    expect(summary.heap.liveBytes).toBeGreaterThanOrEqual(kept.length * 8);
  });

  it('writes inside its root only, whatever links and dots say', () => {
    const root = join(directory.path, 'root');
    using profiler = new HeapProfiler({ root });
    profiler.enable();
    mkdirSync(join(root, 'inside'), { recursive: true });
    symlinkSync(directory.path, join(root, 'link'));
    expect(profiler.dump(join(root, 'inside'), {}).profile).toContain(join(root, 'inside'));
    expect(profiler.dump('inside/../inside', {}).profile).toContain(join(root, 'inside'));
    for (const outside of ['..', 'link', '/', directory.path, `${root}/../root/..`])
      expect(() => profiler.dump(outside, {})).toThrow(/outside of/);
    expect(() => profiler.dump('missing', {})).toThrow(/no directory that can be used/);
  });
});
