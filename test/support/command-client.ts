import { doubleText } from '../../src/data-model/commands/arguments.js';
import {
  CommandContext,
  type CommandServices,
  commandServices,
} from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { wrongWords } from '../../src/data-model/commands/data-command.js';
import { ErrorReply, type Reply } from '../../src/data-model/commands/reply.js';
import { MemoryStore } from './memory-store.js';

/** Runs commands on a store of its own, as a server would, and answers in plain values for tests. */
export class CommandClient {
  readonly store = new MemoryStore();
  readonly services: CommandServices;
  readonly #context: CommandContext;

  constructor(nowMs: () => number = Date.now, namespace?: string) {
    this.services = commandServices(nowMs);
    this.#context = new CommandContext(this.store, this.services, namespace);
  }

  /** Bulk strings as strings (latin1), errors as `error …`. */
  run(...words: readonly (string | Buffer)[]): unknown {
    const args = words.map((word) => Buffer.from(word));
    const command = dataCommands.get(String(words[0]).toLowerCase());
    if (command === undefined) throw new Error(`no command ${words[0]}`);
    const fault = wrongWords(command, args);
    if (fault !== undefined) return plainReply(fault);
    const context = this.#context;
    context.begin();
    const reply = command.run(context, args);
    const plain = plainReply(reply);
    if (context.batch.count > 0 && !(reply instanceof ErrorReply)) {
      this.store.commit(context.batch.finish());
      context.settle();
    }
    return plain;
  }
}

/** A reply as RESP2 would carry it, in plain values. */
export const plainReply = (reply: Reply): unknown => {
  if (reply instanceof ErrorReply) return `error ${reply.text}`;
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (typeof reply !== 'object' || reply === null) return reply;
  if ('kind' in reply) {
    if (reply.kind === 'slice') return reply.bytes.toString('latin1', reply.start, reply.end);
    if (reply.kind === 'map') return reply.entries.map(plainReply);
    if (reply.kind === 'table')
      return Array.from({ length: reply.entries.length / 2 }, (_, i) =>
        reply.entries.slice(2 * i, 2 * i + 2).map(plainReply),
      );
    if (reply.kind === 'set') return reply.members.map(plainReply);
    if (reply.kind === 'pairs') return reply.items.map(plainReply);
    if (reply.kind === 'boolean') return Number(reply.value);
    if (reply.kind === 'byProtocol') return plainReply(reply.resp2);
    return reply.kind === 'double' ? (reply.text ?? doubleText(reply.value)) : null;
  }
  return reply.map(plainReply);
};
