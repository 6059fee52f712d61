import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import type { Position } from '../../src/kit/index.js';
import { StateFile } from '../../src/migration/index.js';
import { noImages, StepWriter, type StepWriterOptions } from '../../src/migration/step-writer.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { waitUntil } from '../support/wait-until.js';

const { signal } = new AbortController();
const walking = { place: Buffer.from('k'), isComplete: false, pending: [], leftOut: [] };
const covered = { place: undefined, isComplete: true, pending: [], leftOut: [] };
const history = new SampleHistory();
history.appendMany(8);
const newest = history.positionAfter(4);

describe('the steps of a migration', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  beforeEach(() => {
    directory = throwAwayDirectory('steps');
  });
  afterEach(() => directory.remove());

  const stateFile = (): StateFile => new StateFile(join(directory.path, 'state.json'));
  const open = (sink: ScriptedSink, options: Partial<StepWriterOptions> = {}): StepWriter =>
    new StepWriter({
      source: 'a',
      target: 'b',
      sink,
      stateFile: stateFile(),
      log: { newestPosition: async () => newest },
      retry: { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 },
      logger: pluginContext('p').log,
      ...options,
    });
  /** What a process finds that starts with a target at this position. */
  const startAt = async (position: Position | null): Promise<StepWriter> => {
    const writer = open(Object.assign(new ScriptedSink(), { position }));
    await writer.start(signal);
    return writer;
  };
  /** Has covered every key, and only follows the log from now on. */
  const following = async (sink: ScriptedSink): Promise<StepWriter> => {
    const writer = open(sink);
    await writer.start(signal);
    await writer.write(covered, newest, noImages, signal);
    await writer.whenWritten();
    return writer;
  };

  it('are known again while one is under way and the next is saved, whichever of them the target took', async () => {
    const sink = new ScriptedSink();
    let answer = (): void => undefined;
    const taken: (Position | null)[] = [];
    sink.script = [
      (batch, apply) =>
        new Promise((resolve) => {
          taken.push(batch.previous, batch.position);
          answer = () => {
            apply();
            resolve({ kind: 'durable' });
          };
        }),
    ];
    const writer = open(sink);
    await writer.start(signal);
    await writer.write(walking, newest, noImages, signal);
    const second = writer.write(walking, newest, noImages, signal);
    await waitUntil('the second is saved', () => stateFile().load()?.steps.at(-1)?.step === 2);
    answer();
    // The process is killed before it saves anything more.
    await second;
    await writer.whenWritten();
    taken.push(sink.position);
    const found: number[] = [];
    for (const position of taken) found.push((await startAt(position)).current.step);
    expect(found).toEqual([0, 1, 2]);
  });

  it('go on from the log where the target stands, but not when that was set back', async () => {
    const sink = new ScriptedSink();
    const writer = await following(sink);
    await writer.write(covered, history.positionAfter(6), noImages, signal);
    await writer.whenWritten();
    expect((await startAt(history.positionAfter(6))).current.log).toEqual(history.positionAfter(6));
    // A backup of the target from before every key was covered: what the walk wrote is not in it.
    await expect(startAt(history.positionAfter(3))).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
  });

  it.each([true, false])(
    'are written no more once another process goes on, to a target that holds its position: %s',
    async (holdsPosition) => {
      const sink = Object.assign(new ScriptedSink(), { holdsPosition });
      const writer = await following(sink);
      await stateFile().takeOver(7);
      const { writes } = sink;
      const late = writer.write(covered, history.positionAfter(6), noImages, signal);
      await expect(late).rejects.toMatchObject({ code: 'SINK_FENCED' });
      expect(sink.writes).toBe(writes);
    },
  );

  it('are not those of another migration, whose state file was named', async () => {
    const sink = new ScriptedSink();
    await following(sink);
    const claims = sink.claims;
    for (const other of [{ source: 'c' }, { target: 'c' }])
      await expect(open(sink, other).start(signal)).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining('belongs to the migration from a to b'),
      });
    expect(sink.claims).toBe(claims);
  });
});
