import type { Socket } from 'node:net';
import {
  CommandContext,
  CommandTransaction,
  type DataCommand,
  ErrorReply,
  keysOfCall,
  wrongArity,
} from '../data-model/index.js';
import { isTailraceError } from '../errors/index.js';
import { ReplyWriter, RequestParser, unauthenticatedRequestLimits } from '../resp/index.js';
import type { TableEntry } from './command-table.js';
import type { PollCursor } from './poll-cursor.js';
import { writeReply } from './reply-encoding.js';
import type { ServerState } from './server-state.js';

/** A command that waits for EXEC. */
interface Queued {
  readonly entry: TableEntry;
  readonly args: readonly Buffer[];
}

/**
 * One client. Its commands run in order as they arrive; the replies of everything that one chunk of bytes brought
 * leave together, once what they tell of is durable. Other connections go on meanwhile and share the same sync.
 *
 * A client that does not read its replies stops being read at the soft limit, and is closed at the hard one.
 * Hot: bench `server`.
 */
export class Connection {
  readonly id: number;
  readonly state: ServerState;
  readonly reply = new ReplyWriter();
  readonly createdAtMs = Date.now();
  name = '';
  isWatchBroken = false;
  lastCommand = '';
  pollCursor: PollCursor | undefined;
  #isAuthenticated = false;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  readonly #context: CommandContext;
  /** Replies that wait for their sequence number to become durable, oldest first. */
  #outgoing: { readonly bytes: Buffer; readonly sequence: number }[] = [];
  #outgoingBytes = 0;
  #isSending = false;
  #isHeld = false;
  #isClosing = false;
  #linger: NodeJS.Timeout | undefined;
  #lastWrite = 0;
  #queue: Queued[] | undefined;
  #queuedBytes = 0;
  #isQueueBroken = false;

  constructor(socket: Socket, state: ServerState) {
    this.#socket = socket;
    this.state = state;
    this.id = state.nextClientId++;
    this.#parser = new RequestParser();
    this.isAuthenticated = state.options.password === '';
    this.#context = new CommandContext(state.store, state.services);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.#resume());
    socket.on('error', () => socket.destroy()); // a client that went away is no event of ours
    socket.on('close', () => this.#forget());
  }

  get address(): string {
    return `${this.#socket.remoteAddress}:${this.#socket.remotePort}`;
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  /** Whoever has not shown the password may send only what it takes to do so. */
  set isAuthenticated(value: boolean) {
    this.#isAuthenticated = value;
    this.#parser.limits = value ? this.state.options.request : unauthenticatedRequestLimits;
  }

  get namespace(): string {
    return this.#context.namespace;
  }

  get isInTransaction(): boolean {
    return this.#queue !== undefined;
  }

  /** Bytes of replies that the client has not taken. */
  get unsentBytes(): number {
    return this.#outgoingBytes + this.#socket.writableLength + this.reply.out.length;
  }

  /** Sends what is ready, then closes. A client that does not take it in time is closed all the same. */
  end(): void {
    this.#isClosing = true;
    this.#linger ??= setTimeout(() => this.#socket.destroy(), lingerMs);
    if (this.#isHeld) this.#socket.resume(); // or its own end would never be seen
    this.#flush();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // What the transaction commands do to the connection.

  beginTransaction(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#isQueueBroken = false;
  }

  discardTransaction(): void {
    this.#queue = undefined;
    this.unwatch();
  }

  watch(keys: readonly Buffer[]): void {
    for (const key of keys) this.state.watches.add(this, this.namespace, key);
  }

  unwatch(): void {
    this.state.watches.remove(this);
    this.isWatchBroken = false;
  }

  /** Runs the queued commands as one batch: all or nothing, seen by nobody in between. */
  executeTransaction(): void {
    const queue = this.#queue ?? [];
    const isWatchBroken = this.isWatchBroken;
    const isQueueBroken = this.#isQueueBroken;
    this.discardTransaction();
    if (isQueueBroken) {
      this.reply.error('EXECABORT Transaction discarded because of previous errors.');
      return;
    }
    if (isWatchBroken) {
      this.reply.nullArray();
      return;
    }
    const transaction = new CommandTransaction(this.state.store, this.state.services, this.namespace);
    this.reply.array(queue.length);
    for (const { entry, args } of queue) {
      if (entry.data !== undefined) writeReply(this.reply, transaction.run(entry.data, args));
      else entry.server?.run(this, args);
    }
    if (transaction.batch.count === 0) return;
    this.#lastWrite = this.state.store.commit(transaction.batch.finish()).last;
    for (const { entry, args } of queue) if (entry.data?.isWrite) this.#touch(entry.data, args);
  }

  /** Notes a write that did not go through a data command. */
  wrote(sequence: number): void {
    this.#lastWrite = sequence;
    if (!this.state.watches.isEmpty) this.state.watches.touchAll();
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosing) return; // nothing behind the last command counts, nor is it kept
    this.#parser.feed(chunk);
    this.#run();
  }

  /** Runs the commands that have arrived, as long as the client takes their replies. */
  #run(): void {
    while (!this.#isClosing && this.#parser.next()) {
      this.#execute(this.#parser.args);
      if (this.reply.out.length < checkOutputBytes) continue;
      this.#flush();
      if (this.#limitOutput()) return;
    }
    if (this.#parser.error !== undefined && !this.#isClosing) {
      this.state.counters.protocolErrors++;
      this.reply.error(this.#parser.error);
      this.end();
      return;
    }
    this.#flush();
    this.#limitOutput(); // many small replies fill memory as well as few large ones
  }

  /** True when the client must not be served on: it has too many replies to read first, or was closed for them. */
  #limitOutput(): boolean {
    const { softOutputBytes, hardOutputBytes } = this.state.options;
    const bytes = this.unsentBytes;
    if (bytes > hardOutputBytes) {
      this.state.counters.closedForOutput++;
      this.#socket.destroy();
      return true;
    }
    if (bytes <= softOutputBytes || this.#isClosing) return false;
    this.#isHeld = true;
    this.#socket.pause();
    return true;
  }

  #resume(): void {
    if (!this.#isHeld || this.unsentBytes > this.state.options.softOutputBytes) return;
    this.#isHeld = false;
    this.#socket.resume();
    this.#run();
  }

  #execute(args: readonly Buffer[]): void {
    const entry = this.state.commands.find(args[0]);
    if (entry === undefined) {
      this.#refuse(unknownCommand(args));
      return;
    }
    const { arity } = entry;
    if (arity > 0 ? args.length !== arity : args.length < -arity) {
      this.#refuse(entry.server?.arityError ?? wrongArity(entry.name).text);
      return;
    }
    if (!this.isAuthenticated && entry.server?.isOpen !== true) {
      this.reply.error('NOAUTH Authentication required.');
      return;
    }
    entry.calls++;
    this.lastCommand = entry.name;
    if (this.#queue !== undefined && entry.server?.isTransactional !== true) {
      this.#enqueue(entry, args);
      return;
    }
    const mark = this.reply.out.length;
    try {
      if (entry.data !== undefined) this.#runData(entry.data, args);
      else entry.server?.run(this, args);
    } catch (error) {
      this.reply.out.truncate(mark);
      this.#fail(error, entry.name);
    }
  }

  #runData(command: DataCommand, args: readonly Buffer[]): void {
    const context = this.#context;
    if (!command.isWrite) {
      writeReply(this.reply, command.run(context, args));
      return;
    }
    const { batch } = context;
    batch.clear();
    const reply = command.run(context, args);
    if (batch.count > 0 && !(reply instanceof ErrorReply)) {
      this.#lastWrite = this.state.store.commit(batch.finish()).last;
      this.#touch(command, args);
    }
    writeReply(this.reply, reply);
  }

  #touch(command: DataCommand, args: readonly Buffer[]): void {
    const { watches } = this.state;
    if (watches.isEmpty) return;
    const keys = keysOfCall(command.keys, args);
    if (keys.length > 0) watches.touch(this.namespace, keys);
    else watches.touchAll();
  }

  #enqueue(entry: TableEntry, args: readonly Buffer[]): void {
    if (entry.server?.isRefusedInMulti) {
      this.#refuse(`ERR ${entry.name.toUpperCase()} is not allowed in MULTI`);
      return;
    }
    for (const arg of args) this.#queuedBytes += arg.length + queuedArgumentBytes;
    if (this.#queuedBytes > this.state.options.request.requestBytes) {
      this.#queue = []; // it will not run any more, so nothing of it is kept
      this.#refuse('ERR the transaction is larger than a request may be');
      return;
    }
    this.#queue?.push({ entry, args });
    this.reply.simple('QUEUED');
  }

  /** An error of the request: inside MULTI it spoils the transaction. */
  #refuse(text: string): void {
    if (this.#queue !== undefined) this.#isQueueBroken = true;
    this.reply.error(text);
  }

  #fail(error: unknown, command: string): void {
    if (isTailraceError(error) && error.code !== 'INTERNAL') {
      this.reply.error(`ERR ${error.message}`);
      return;
    }
    this.state.options.onDefect(error, command);
    this.reply.error('ERR internal error');
  }

  /** Hands the replies over to be sent when what they tell of is durable. */
  #flush(): void {
    if (this.reply.out.length > 0) {
      const { store, options } = this.state;
      const sequence = options.areReadsDurable ? store.sequence : this.#lastWrite;
      const bytes = this.reply.out.take();
      if (this.#outgoing.length === 0 && sequence <= store.durableSequence) {
        this.#socket.write(bytes);
      } else {
        this.#outgoing.push({ bytes, sequence });
        this.#outgoingBytes += bytes.length;
        if (!this.#isSending) this.#send().catch(() => this.#socket.destroy());
      }
    }
    if (this.#isClosing && this.#outgoing.length === 0) this.#socket.end();
  }

  /** A write whose durability is unknown is never answered: a failed store closes the connection. */
  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#outgoing.length > 0) {
      await this.state.store.whenDurable(this.#outgoing[0].sequence);
      const durable = this.state.store.durableSequence;
      while (this.#outgoing.length > 0 && this.#outgoing[0].sequence <= durable) {
        const { bytes } = this.#outgoing.shift() as { bytes: Buffer };
        this.#outgoingBytes -= bytes.length;
        this.#socket.write(bytes);
      }
    }
    this.#isSending = false;
    if (this.#isClosing) this.#socket.end();
    else this.#resume();
  }

  #forget(): void {
    clearTimeout(this.#linger);
    this.pollCursor?.close();
    this.unwatch();
    this.state.connections.delete(this);
  }
}

/** Output is compared with the limits whenever this much has come together, and at the end of each chunk. */
const checkOutputBytes = 64 * 1024;

/** What keeping an argument costs beside its bytes, about. */
const queuedArgumentBytes = 64;

/** How long a client that is being closed may take for its last replies. */
const lingerMs = 2_000;

const unknownCommand = (args: readonly Buffer[]): string => {
  const rest = args.slice(1, 21).map((arg) => `\`${arg.toString('utf8', 0, 128)}\``);
  return `ERR unknown command \`${args[0].toString('utf8', 0, 128)}\`, with args beginning with: ${rest.join(', ')}`;
};
