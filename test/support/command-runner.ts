import { CommandContext, commandServices, dataCommands, ErrorReply } from '../../src/data-model/index.js';
import type { Commit, Store } from '../../src/engine/index.js';

/** Carries out commands on a store in this process, so that its log is what a server's would be. */
export class CommandRunner {
  readonly #store: Store;
  readonly #services = commandServices();
  readonly #namespace: string | undefined;

  constructor(store: Store, namespace?: string) {
    this.#store = store;
    this.#namespace = namespace;
  }

  /** Runs one command and commits its batch; undefined when it wrote nothing. */
  run(name: string, ...words: readonly (string | number | Uint8Array)[]): Commit | undefined {
    const command = dataCommands.get(name.toLowerCase());
    if (command === undefined) throw new Error(`no command ${name}`);
    const context = new CommandContext(this.#store, this.#services, this.#namespace);
    const args = [name, ...words].map((word) =>
      typeof word === 'object' ? Buffer.from(word) : Buffer.from(String(word)),
    );
    const reply = command.run(context, args);
    if (reply instanceof ErrorReply) throw new Error(`${name}: ${reply.text}`);
    return context.batch.count === 0 ? undefined : this.#store.commit(context.batch.finish());
  }

  /** Resolves when everything that was run can be read from the log. */
  async settled(): Promise<void> {
    await this.#store.whenDurable(this.#store.sequence);
  }
}
