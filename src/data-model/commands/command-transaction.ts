import type { DataReader } from '../../engine/index.js';
import { WriteBatchBuilder } from '../../write-batch/index.js';
import { CommandContext, type CommandServices } from './command-context.js';
import type { DataCommand } from './data-command.js';
import { OverlayReader } from './overlay-reader.js';
import { ownReply, type Reply } from './reply.js';

/**
 * Several commands as one batch (MULTI … EXEC): each sees what those before it did; a refused one adds nothing.
 *
 * @example
 * const transaction = new CommandTransaction(store, services, namespace);
 * const replies = queued.map(({ command, args }) => transaction.run(command, args));
 * if (transaction.batch.count > 0) store.commit(transaction.batch.finish());
 */
export class CommandTransaction {
  /** The records of all commands so far, in order. */
  readonly batch = new WriteBatchBuilder(1024);
  readonly #overlay: OverlayReader;
  readonly #context: CommandContext;

  constructor(reader: DataReader, services: CommandServices, namespace?: string) {
    this.#overlay = new OverlayReader(reader);
    this.#context = new CommandContext(this.#overlay, services, namespace);
  }

  /** Runs the next command. The reply is owned: it outlives the commit. */
  run(command: DataCommand, args: readonly Buffer[]): Reply {
    const single = this.#context.batch;
    this.#context.begin();
    const reply = ownReply(command.run(this.#context, args));
    if (single.count > 0) {
      const bytes = Buffer.from(single.finish());
      this.batch.append(bytes);
      this.#overlay.apply(bytes);
    }
    return reply;
  }
}
