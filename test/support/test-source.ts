import { afterEach, beforeEach } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import type { SinkBatch } from '../../src/kit/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from './command-runner.js';
import { SinkBatches } from './sink-batches.js';

/** A new store for each test around, whose changes are cut into what a pipeline would hand to a sink. */
export class TestSource {
  /** The clock of the store, which a test may stop. */
  nowMs = Date.now;
  readonly #owned: AsyncDisposable[] = [];
  #directory: ReturnType<typeof throwAwayDirectory> | undefined;
  #open: { engine: Engine; commands: CommandRunner; batches: SinkBatches } | undefined;

  constructor() {
    beforeEach(() => this.#start());
    afterEach(() => this.#end());
  }

  get engine(): Engine {
    return this.#parts.engine;
  }

  /** Runs a command on the store. */
  run(...words: Parameters<CommandRunner['run']>): void {
    this.#parts.commands.run(...words);
  }

  /** Everything that was written and not taken yet, at most `maxTransactions`. */
  take(maxTransactions?: number): Promise<SinkBatch> {
    return this.#parts.batches.take(maxTransactions);
  }

  /** Disposes it at the end of the test, before the store goes. */
  own<Owned extends AsyncDisposable>(owned: Owned): Owned {
    this.#owned.push(owned);
    return owned;
  }

  get #parts(): { engine: Engine; commands: CommandRunner; batches: SinkBatches } {
    if (this.#open === undefined) throw new Error('there is a store in a test only');
    return this.#open;
  }

  async #start(): Promise<void> {
    this.#directory = throwAwayDirectory('source');
    const engine = await Engine.open(this.#directory.path, { sync: 'none' });
    this.nowMs = Date.now;
    const commands = new CommandRunner(engine, undefined, () => this.nowMs());
    this.#open = { engine, commands, batches: new SinkBatches(engine) };
  }

  async #end(): Promise<void> {
    for (const owned of this.#owned.splice(0)) await owned[Symbol.asyncDispose]();
    await this.#open?.engine.close();
    this.#open = undefined;
    this.#directory?.remove();
  }
}
