import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import type { Position, SourceBatch, StartPoint } from '../../src/kit/index.js';
import { SharedSource } from '../../src/pipeline/shared-source.js';
import { ListSource } from '../support/list-source.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

const never = new AbortController().signal;
const limit = { maxBatches: 5, maxBytes: 1 << 20 };

const history = (batches: number): SampleHistory => {
  const sample = new SampleHistory();
  for (let i = 0; i < batches; i++) {
    sample.appendMany(1, `key-${i}`);
    if (i % 7 === 3) sample.appendEmpty();
  }
  return sample;
};

/** Counts its sessions. */
const sharing = (sample: SampleHistory, windowBytes: number) => {
  const sessions: ListSource[] = [];
  const shared = new SharedSource(() => {
    const session = new ListSource(sample.batches);
    sessions.push(session);
    return session;
  }, windowBytes);
  return { shared, sessions };
};

const counted = (batches: readonly SourceBatch[]): number[] =>
  batches.filter(({ count }) => count > 0).map(({ sequence }) => sequence);

describe('shared source', () => {
  it('reads once for cursors that keep together', async () => {
    const sample = history(100);
    const { shared, sessions } = sharing(sample, 1 << 20);
    const cursors = [shared.cursor(), shared.cursor(), shared.cursor()];
    const read: SourceBatch[][] = [[], [], []];
    for (const cursor of cursors) await cursor.open({ kind: 'beginning' }, never);
    await Promise.all(
      cursors.map(async (cursor, at) => {
        for (let pulled = await cursor.pull(limit, never); pulled; pulled = await cursor.pull(limit, never))
          read[at].push(...pulled.batches);
      }),
    );
    for (const batches of read) expect(batches).toEqual(sample.batches);
    expect(sessions.length).toBe(1);
    expect(sessions[0]?.pulled).toBe(sample.batches.length);
  });

  it('lets a cursor that falls out of the window read by itself, and takes it back when it has caught up', async () => {
    const sample = history(300);
    const { shared, sessions } = sharing(sample, 3_000);
    const [fast, slow] = [shared.cursor(), shared.cursor()];
    await fast.open({ kind: 'beginning' }, never);
    await slow.open({ kind: 'beginning' }, never);
    const read: SourceBatch[] = [];
    for (let i = 0; i < 40; i++) await fast.pull(limit, never);
    for (let i = 0; i < 40; i++) read.push(...((await slow.pull(limit, never))?.batches ?? []));
    expect(sessions.length).toBe(2);
    const alone = sessions[1]?.pulled;
    for (let pulled = await slow.pull(limit, never); pulled; pulled = await slow.pull(limit, never))
      read.push(...pulled.batches);
    expect(counted(read)).toEqual(counted(sample.batches));
    expect(sessions[1]?.pulled).toBe(alone);
  });

  it('lets a cursor go on alone whose pull is under way when another one begins further ahead', async () => {
    const sample = history(100);
    const { shared, sessions } = sharing(sample, 1 << 20);
    const [behind, ahead] = [shared.cursor(), shared.cursor()];
    await behind.open({ kind: 'beginning' }, never);
    const pulling = behind.pull(limit, never);
    await ahead.open({ kind: 'after', position: sample.positionAfter(60) as Position }, never);
    expect((await pulling)?.batches[0]).toEqual(sample.batches[0]);
    expect((await ahead.pull(limit, never))?.batches[0]).toEqual(sample.batches[60]);
    expect(sessions.length).toBe(3);
  });

  it('tells why any of its sessions cannot be reached, one that is being opened too', async () => {
    const { shared, sessions } = sharing(history(300), 3_000);
    const down = (reason: string) => ({ reason, forMs: 5 });
    const [fast, slow] = [shared.cursor(), shared.cursor()];
    const opening = fast.open({ kind: 'beginning' }, never);
    await waitUntil('it is being opened', () => sessions.length === 1);
    sessions[0].trouble = down('at first');
    expect(shared.trouble).toEqual(down('at first'));
    await opening;
    expect(shared.trouble).toEqual(down('at first'));
    sessions[0].trouble = null;
    expect(shared.trouble).toBeNull();
    await slow.open({ kind: 'beginning' }, never);
    for (let i = 0; i < 40; i++) await fast.pull(limit, never);
    await slow.pull(limit, never);
    sessions[1].trouble = down('alone');
    expect(shared.trouble).toEqual(down('alone'));
    await shared[Symbol.asyncDispose]();
    expect(shared.trouble).toBeNull();
  });

  it('ends the sessions of its cursors with its own, and can be read again', async () => {
    const sample = history(300);
    const { shared, sessions } = sharing(sample, 3_000);
    const [fast, slow] = [shared.cursor(), shared.cursor()];
    for (const round of [1, 2]) {
      await fast.open({ kind: 'beginning' }, never);
      await slow.open({ kind: 'beginning' }, never);
      for (let i = 0; i < 40; i++) await fast.pull(limit, never);
      expect((await slow.pull(limit, never))?.batches[0]).toEqual(sample.batches[0]);
      expect(sessions.length).toBe(2 * round);
      await shared[Symbol.asyncDispose]();
      expect(sessions.every(({ isDisposed }) => isDisposed)).toBe(true);
    }
  });

  it.each([
    ['begins', 20],
    ['has got to', 26],
  ])(
    'refuses a cursor with another history at a place that others have shared: where their reading %s',
    async (_place, at) => {
      const sample = new SampleHistory();
      sample.appendMany(60);
      const { shared } = sharing(sample, 1 << 20);
      const behind = (batches: number, change = 0): StartPoint => {
        const position = sample.positionAfter(batches) as Position;
        return { kind: 'after', position: { ...position, crc: (position.crc ^ change) >>> 0 } };
      };
      const [leading, other] = [shared.cursor(), shared.cursor()];
      await leading.open(behind(20), never);
      for (let i = 0; i < 3; i++) await leading.pull(limit, never);
      await expect(other.open(behind(at, 1), never)).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
      await other.open(behind(at), never);
      const pulled = await other.pull(limit, never);
      expect(pulled?.batches[0].sequence).toBe(sample.batches[at].sequence);
    },
  );

  it('gives each cursor every batch once and in order, whatever their places and speeds', async () => {
    const random = SeededRandom.fromEnvironment('shared source');
    for (let round = 0; round < 150; round++) {
      const sample = history(20 + random.below(150));
      const { shared, sessions } = sharing(sample, 200 + random.below(6_000));
      await Promise.all(
        Array.from({ length: 1 + random.below(4) }, async () => {
          const cursor = shared.cursor();
          let from = random.below(4) === 0 ? random.below(sample.batches.length) : 0;
          const patience = random.below(4);
          for (;;) {
            while (from > 0 && sample.batches[from - 1]?.count === 0) from--;
            const position = sample.positionAfter(from);
            const start: StartPoint = position === null ? { kind: 'beginning' } : { kind: 'after', position };
            await cursor.open(start, never);
            const read: SourceBatch[] = [];
            let isRewound = false;
            for (
              let pulled = await cursor.pull(limit, never);
              pulled !== null;
              pulled = await cursor.pull(limit, never)
            ) {
              read.push(...pulled.batches);
              for (let turn = random.below(patience + 1); turn > 0; turn--) await nextTurn();
              isRewound = random.below(60) === 0;
              if (isRewound) break;
            }
            const wanted = counted(sample.batches.slice(from));
            expect(counted(read)).toEqual(isRewound ? wanted.slice(0, counted(read).length) : wanted);
            if (!isRewound) break;
          }
          await cursor[Symbol.asyncDispose]();
        }),
      );
      await shared[Symbol.asyncDispose]();
      expect(sessions.every(({ isDisposed }) => isDisposed)).toBe(true);
    }
  });
});
