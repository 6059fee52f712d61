import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { FlushGate } from '../../support/flush-gate.js';
import { contentOf, fill, type Model, small, sorted, useStoreDirectory } from './checkpoint-setup.js';

const directory = useStoreDirectory();
const { open, store } = directory;

/** Files of which those whose name ends so are not synced until they may be. */
class HeldSyncs {
  readonly files: Files;
  /** Called when a sync is held up. */
  onWait: () => void = () => undefined;
  readonly #fds = new Set<number>();
  #held: Promise<void> | undefined;
  #end: () => void = () => undefined;

  constructor(ending: string, files = nodeFiles) {
    this.files = {
      ...files,
      open: async (path, flags) => {
        const fd = await files.open(path, flags);
        if (path.endsWith(ending)) this.#fds.add(fd);
        else this.#fds.delete(fd);
        return fd;
      },
      datasync: async (fd) => {
        if (this.#fds.has(fd) && this.#held !== undefined) {
          this.onWait();
          await this.#held;
        }
        await files.datasync(fd);
      },
    };
  }

  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  end(): void {
    this.#held = undefined;
    this.#end();
  }
}

/** Long enough for anything that waits for no disk. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** A directory with files as they were when the power failed. */
const crash = (files: Readonly<Record<string, Buffer>>): string => {
  const crashed = join(directory.path, 'crashed');
  mkdirSync(crashed);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(crashed, name), bytes);
  return crashed;
};
const now = (name: string): Buffer => readFileSync(join(store(), name));

describe('the list of checkpoints on disk', () => {
  it.each([
    ['replaced', (engine: Engine) => engine.checkpoints.create({ name: 'kept', ifNameExists: 'replace' })],
    ['advanced', (engine: Engine) => engine.checkpoints.refresh('kept', { isAdvanced: true })],
  ] as const)('keeps what is %s until the log is that the new one needs', async (_, supersede) => {
    const gate = new FlushGate();
    const logSyncs = new HeldSyncs('.log', gate.files);
    const engine = await open({ segmentBytes: 1 << 20, files: logSyncs.files });
    const model: Model = new Map();
    fill(engine, model, 0, 100, 'old');
    await engine.checkpoints.create({ name: 'kept' });
    const then = new Map(model);
    const log = { '000001.log': now('000001.log') };
    logSyncs.hold();
    fill(engine, model, 50, 200, 'new');
    const superseding = supersede(engine);
    await turns();
    // The power fails now, which takes the end of the log.
    const crashed = crash({ ...log, IDENTITY: now('IDENTITY'), CHECKPOINTS: now('CHECKPOINTS') });
    logSyncs.end();
    await superseding;
    gate.open();
    await engine.close();
    await using again = await Engine.open(crashed, small);
    expect(contentOf(again.checkpoints.open('kept'))).toEqual(sorted(then));
  });

  it('is without what is deleted before its pages are written over', async () => {
    const listSyncs = new HeldSyncs('CHECKPOINTS');
    const engine = await open({ segmentBytes: 1 << 20, files: listSyncs.files });
    const model: Model = new Map();
    fill(engine, model, 0, 300, 'old');
    await engine.checkpoints.create({ name: 'deleted' });
    await engine.flush();
    const then = new Map(model);
    fill(engine, model, 0, 300, 'new');
    await engine.flush();
    const listed = { CHECKPOINTS: now('CHECKPOINTS') };
    listSyncs.hold();
    const deleting = engine.checkpoints.delete('deleted');
    for (let round = 0; round < 3; round++) {
      await turns();
      fill(engine, model, 0, 300, `round ${round}`);
      await engine.flush();
    }
    // The power fails now, which takes the new list.
    const crashed = crash({
      ...listed,
      IDENTITY: now('IDENTITY'),
      data: now('data'),
      '000001.log': now('000001.log'),
    });
    listSyncs.end();
    await deleting;
    await engine.close();
    await using again = await Engine.open(crashed, small);
    expect(contentOf(again.checkpoints.open('deleted'))).toEqual(sorted(then));
    await again.check();
  });

  it('says where the data is of a checkpoint that was all written when the store stopped', async () => {
    const gate = new FlushGate();
    const model: Model = new Map();
    const engine = await open({ files: gate.files });
    fill(engine, model, 0, 100, 'old');
    await engine.checkpoints.create({ name: 'made' });
    const then = new Map(model);
    const listed = now('CHECKPOINTS');
    gate.open();
    await engine.close();
    writeFileSync(join(store(), 'CHECKPOINTS'), listed); // the process was killed before it wrote where its pages are
    {
      await using again = await open();
      expect(again.checkpoints.show('made').isWritten).toBe(true);
      fill(again, model, 0, 100, 'new');
      await again.flush();
    }
    await using again = await open();
    expect(contentOf(again.checkpoints.open('made'))).toEqual(sorted(then));
  });

  it('is without a checkpoint that was forgotten before its sequence number is that of something else', async () => {
    const gate = new FlushGate();
    const logSyncs = new HeldSyncs('.log', gate.files);
    const engine = await open({ segmentBytes: 1 << 20, files: logSyncs.files });
    fill(engine, new Map(), 0, 100, 'old');
    await engine.whenDurable(engine.sequence);
    const log = { '000001.log': now('000001.log') };
    logSyncs.hold();
    fill(engine, new Map(), 50, 100, 'lost');
    const making = engine.checkpoints.create({ name: 'in the making' });
    await turns();
    const crashed = crash({ ...log, IDENTITY: now('IDENTITY'), CHECKPOINTS: now('CHECKPOINTS') });
    logSyncs.end();
    await making;
    gate.open();
    await engine.close();
    expect(readFileSync(join(crashed, 'CHECKPOINTS'), 'utf8')).toContain('in the making');
    for (let round = 0; round < 2; round++) {
      await using again = await Engine.open(crashed, small);
      expect(again.checkpoints.list()).toEqual([]);
      fill(again, new Map(), 0, 100, 'other');
    }
  });

  it('says where the data of a checkpoint is before the trees move on from there', async () => {
    const gate = new FlushGate();
    let data = -1;
    let dataWrites = 0;
    const listSyncs = new HeldSyncs('CHECKPOINTS', {
      ...gate.files,
      open: async (path, flags) => {
        const fd = await gate.files.open(path, flags);
        if (path.endsWith('/data')) data = fd;
        return fd;
      },
      write: (fd, bytes, position) => {
        if (fd === data) dataWrites++;
        return gate.files.write(fd, bytes, position);
      },
    });
    await using engine = await open({ files: listSyncs.files });
    const model: Model = new Map();
    fill(engine, model, 0, 100, 'old');
    await engine.checkpoints.create({ name: 'made' });
    fill(engine, model, 0, 100, 'new');
    listSyncs.hold();
    const flushed = engine.flush();
    gate.open();
    const before = await new Promise<number>((resolve) => {
      listSyncs.onWait = () => resolve(dataWrites);
    });
    await turns();
    const after = dataWrites;
    listSyncs.end();
    await flushed;
    expect(after).toBe(before);
    expect(dataWrites).toBeGreaterThan(before);
  });
});
