import type { TableEntry } from './command-table.js';

/** A command that waits for EXEC. Owns its arguments' memory as long as it waits. */
export interface QueuedCommand {
  readonly entry: TableEntry;
  readonly args: readonly Buffer[];
}

/** The commands between MULTI and EXEC. One refused command spoils them all. */
export class TransactionQueue {
  readonly #maxBytes: number;
  #commands: QueuedCommand[] = [];
  #bytes = 0;
  #isBroken = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get commands(): readonly QueuedCommand[] {
    return this.#commands;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Nothing of it will run any more, so nothing of it is kept. */
  break(): void {
    this.#isBroken = true;
    this.#commands = [];
  }

  /** False when the transaction has become larger than a request may be. */
  push(command: QueuedCommand): boolean {
    for (const arg of command.args) this.#bytes += arg.length + queuedArgumentBytes;
    if (this.#bytes > this.#maxBytes) return false;
    if (!this.#isBroken) this.#commands.push(command);
    return true;
  }
}

/** What keeping an argument costs beside its bytes, about. */
const queuedArgumentBytes = 64;
