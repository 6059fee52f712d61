import { isPast, keyName } from '../data-model/index.js';
import type { TableEntry } from './command-table.js';
import type { Connection } from './connection.js';
import { runTransaction } from './run-transaction.js';
import { TransactionQueue } from './transaction-queue.js';

/** A client's MULTI and WATCH: what waits for EXEC, and whether a watched key has changed. */
export class ClientTransaction {
  readonly #connection: Connection;
  #queue: TransactionQueue | undefined;
  /** Set when a watched key was written. */
  isWatchBroken = false;
  #watchEndMs = Number.POSITIVE_INFINITY;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** True between MULTI and EXEC. */
  get isOpen(): boolean {
    return this.#queue !== undefined;
  }

  /** −1 outside of MULTI. */
  get queuedCommands(): number {
    return this.#queue?.commands.length ?? -1;
  }

  begin(): void {
    this.#queue = new TransactionQueue(this.#connection.state.options.request.requestBytes);
  }

  /** Keeps a command for EXEC. Why it is refused, if it is. */
  enqueue(entry: TableEntry, args: readonly Buffer[]): string | undefined {
    if (entry.server?.refusal !== undefined) return entry.server.refusal;
    if (entry.server?.isRefusedInMulti) return `ERR ${entry.name.toUpperCase()} is not allowed in MULTI`;
    if (this.#queue?.push({ entry, args }) === false)
      return 'ERR the transaction is larger than a request may be';
    return undefined;
  }

  /** A command was refused: EXEC will be, too. */
  spoil(): void {
    this.#queue?.break();
  }

  discard(): void {
    this.#queue = undefined;
    this.unwatch();
  }

  /** A watched key that expires before EXEC has changed as well, though nobody writes it. */
  watch(keys: readonly Buffer[]): void {
    const { state, context, namespace } = this.#connection;
    for (const key of keys) {
      const metadata = context.findAny(key);
      state.watches.add(this, keyName(namespace, key), metadata !== undefined);
      const expireMs = metadata?.expireMs ?? 0;
      if (expireMs !== 0) this.#watchEndMs = Math.min(this.#watchEndMs, expireMs);
    }
  }

  unwatch(): void {
    this.#connection.state.watches.remove(this);
    this.isWatchBroken = false;
    this.#watchEndMs = Number.POSITIVE_INFINITY;
  }

  /** EXEC: runs what is queued, unless a command was refused or a watched key has changed. */
  execute(): void {
    const { reply, state } = this.#connection;
    const queue = this.#queue;
    const isWatchBroken = this.isWatchBroken || isPast(this.#watchEndMs, state.services.nowMs());
    this.discard();
    if (queue === undefined || queue.isBroken)
      reply.error('EXECABORT Transaction discarded because of previous errors.');
    else if (isWatchBroken) reply.nullArray();
    else runTransaction(this.#connection, queue);
  }
}
