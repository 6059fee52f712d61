import {
  CommandContext,
  commandServices,
  dataCommands,
  ErrorReply,
} from '../../src/data-model/commands/index.js';
import type { Commit, Store } from '../../src/engine/index.js';

/** Carries out commands on a store in this process, so that its log is what a server's would be. */
export class CommandRunner {
  readonly #store: Store;
  readonly #context: CommandContext;

  constructor(store: Store, namespace?: string, nowMs?: () => number) {
    this.#store = store;
    this.#context = new CommandContext(store, commandServices(nowMs), namespace);
  }

  /** Runs one command and commits its batch; undefined when it wrote nothing. */
  run(name: string, ...words: readonly (string | number | Uint8Array)[]): Commit | undefined {
    const command = dataCommands.get(name.toLowerCase());
    if (command === undefined) throw new Error(`no command ${name}`);
    const context = this.#context;
    const args = [name, ...words].map((word) =>
      typeof word === 'object' ? Buffer.from(word) : Buffer.from(String(word)),
    );
    context.begin();
    const reply = command.run(context, args);
    if (reply instanceof ErrorReply) throw new Error(`${name}: ${reply.text}`);
    if (context.batch.count === 0) return undefined;
    const commit = this.#store.commit(context.batch.finish());
    context.settle();
    return commit;
  }

  /** Resolves when everything that was run can be read from the log. */
  async settled(): Promise<void> {
    await this.#store.whenDurable(this.#store.sequence);
  }
}
