import type { Socket } from 'node:net';
import {
  CommandContext,
  CommandTransaction,
  type DataCommand,
  ErrorReply,
  keyName,
  keysOfCall,
  type Reply,
  wrongArity,
} from '../data-model/index.js';
import { isTailraceError } from '../errors/index.js';
import { ReplyWriter, RequestParser, unauthenticatedRequestLimits } from '../resp/index.js';
import type { BlockedCall } from './blocked-calls.js';
import type { TableEntry } from './command-table.js';
import { Outbox } from './outbox.js';
import { writeReply } from './reply-encoding.js';
import type { ServerState } from './server-state.js';
import { TransactionQueue } from './transaction-queue.js';
import type { PollCursor } from './updates/poll-cursor.js';
import type { UpdateStream } from './updates/update-stream.js';

/** What a connection waits for before its next command. */
export interface Suspension {
  /** Lets go of what was arranged: the wait is over, or the client is gone. */
  cancel(): void;
  /** Answers as after the timeout. Absent where CLIENT UNBLOCK has no say. */
  readonly timeOut?: () => void;
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
  updateStream: UpdateStream | undefined;
  #isAuthenticated = false;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  readonly #context: CommandContext;
  readonly #outbox: Outbox;
  #isHeld = false;
  #isClosing = false;
  #linger: NodeJS.Timeout | undefined;
  #lastWrite = 0;
  #queue: TransactionQueue | undefined;
  #isExecuting = false;
  #isRunning = false;
  #suspension: Suspension | undefined;

  constructor(socket: Socket, state: ServerState) {
    this.#socket = socket;
    this.state = state;
    this.id = state.nextClientId++;
    this.#parser = new RequestParser();
    this.isAuthenticated = state.options.password === '';
    this.#context = new CommandContext(state.store, state.services);
    this.#outbox = new Outbox(socket, state.store, () => this.#sent());
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

  /** False while EXEC runs the queue: nothing in a transaction waits. */
  get mayWait(): boolean {
    return !this.#isExecuting;
  }

  get isWaiting(): boolean {
    return this.#suspension !== undefined;
  }

  /** Bytes of replies that the client has not taken. */
  get unsentBytes(): number {
    return this.#outbox.unsentBytes + this.reply.out.length;
  }

  /** Sends what is ready, then closes. A client that does not take it in time is closed all the same. */
  end(): void {
    this.#isClosing = true;
    this.#cancelWait();
    this.#linger ??= setTimeout(() => this.#socket.destroy(), lingerMs);
    if (this.#isHeld) this.#socket.resume(); // or its own end would never be seen
    this.#flush();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Holds back the commands behind the current one, which is answered by `release`. */
  suspend(suspension: Suspension): void {
    this.#suspension = suspension;
  }

  /**
   * Ends the wait with what `answer` writes, and goes on with the commands that have come meanwhile. The answer
   * leaves when `sequence` is durable; by default, as that of any command.
   */
  release(answer: () => void, sequence?: number): void {
    if (this.#suspension === undefined) return;
    this.#cancelWait();
    answer();
    this.#flush(sequence);
    // Not at once: whoever released it may be in the middle of a command of his own.
    queueMicrotask(() => this.#run());
  }

  releaseWithError(error: unknown, command: string): void {
    this.release(() => this.#fail(error, command));
  }

  /** Sends what was written to `reply` outside of a command: pushes that tell of what is durable. */
  push(): void {
    if (!this.#isRunning) this.#flush(this.state.store.durableSequence);
  }

  /** CLIENT UNBLOCK: false when the client does not wait for anything that it can be released from. */
  unblock(isError: boolean): boolean {
    const timeOut = this.#suspension?.timeOut;
    if (timeOut === undefined) return false;
    if (isError) this.release(() => this.reply.error('UNBLOCKED client unblocked via CLIENT UNBLOCK'));
    else timeOut();
    return true;
  }

  // What the transaction commands do to the connection.

  beginTransaction(): void {
    this.#queue = new TransactionQueue(this.state.options.request.requestBytes);
  }

  discardTransaction(): void {
    this.#queue = undefined;
    this.unwatch();
  }

  watch(keys: readonly Buffer[]): void {
    for (const key of keys) this.state.watches.add(this, keyName(this.namespace, key));
  }

  unwatch(): void {
    this.state.watches.remove(this);
    this.isWatchBroken = false;
  }

  /** Runs the queued commands as one batch: all or nothing, seen by nobody in between. */
  executeTransaction(): void {
    const queue = this.#queue;
    const isWatchBroken = this.isWatchBroken;
    this.discardTransaction();
    if (queue === undefined || queue.isBroken) {
      this.reply.error('EXECABORT Transaction discarded because of previous errors.');
      return;
    }
    if (isWatchBroken) {
      this.reply.nullArray();
      return;
    }
    const transaction = new CommandTransaction(this.state.store, this.state.services, this.namespace);
    this.reply.array(queue.commands.length);
    this.#isExecuting = true;
    try {
      for (const { entry, args } of queue.commands) {
        if (entry.data === undefined) entry.server?.run(this, args);
        else {
          const timeout = entry.data.wait?.timeoutMs(args);
          const reply = timeout instanceof ErrorReply ? timeout : transaction.run(entry.data, args);
          writeReply(this.reply, reply);
        }
      }
    } finally {
      this.#isExecuting = false;
    }
    if (transaction.batch.count > 0) this.commit(transaction.batch.finish());
  }

  /** Commits a batch of this client: its reply waits until the batch is durable. */
  commit(batch: Buffer): void {
    this.#lastWrite = this.state.commit(batch);
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosing) return; // nothing behind the last command counts, nor is it kept
    this.#parser.feed(chunk);
    if (this.#suspension === undefined) this.#run();
    else if (this.#parser.bufferedBytes > maxBytesBehindWait) this.#hold();
  }

  /** Runs the commands that have arrived, as long as the client takes their replies and none of them waits. */
  #run(): void {
    this.#isRunning = true;
    this.#runCommands();
    this.#isRunning = false;
  }

  #runCommands(): void {
    while (!this.#isClosing && this.#suspension === undefined && this.#parser.next()) {
      this.#execute(this.#parser.args);
      if (this.reply.out.length < checkOutputBytes) continue;
      this.#flush();
      if (this.#limitOutput()) return;
    }
    if (this.#parser.error !== undefined && !this.#isClosing && this.#suspension === undefined) {
      this.state.counters.protocolErrors++;
      this.reply.error(this.#parser.error);
      this.end();
      return;
    }
    this.#flush();
    if (!this.#limitOutput()) this.#unhold(); // many small replies fill memory as well as few large ones
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
    this.#hold();
    return true;
  }

  #hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  #unhold(): void {
    if (!this.#isHeld || this.#suspension !== undefined) return;
    this.#isHeld = false;
    this.#socket.resume();
  }

  #resume(): void {
    if (!this.#isHeld || this.#suspension !== undefined) return;
    if (this.unsentBytes > this.state.options.softOutputBytes) return;
    this.#unhold();
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
      this.#enqueue(this.#queue, entry, args);
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
    this.state.blocked.serve();
  }

  #runData(command: DataCommand, args: readonly Buffer[]): void {
    const { wait } = command;
    const timeoutMs = wait?.timeoutMs(args);
    if (timeoutMs instanceof ErrorReply) {
      this.reply.error(timeoutMs.text);
      return;
    }
    const reply = this.#tryData(command, args);
    if (timeoutMs !== undefined && isNothing(reply)) this.#block(command, args, timeoutMs);
    else writeReply(this.reply, reply);
  }

  /** Runs the command and commits what it made. */
  #tryData(command: DataCommand, args: readonly Buffer[]): Reply {
    const context = this.#context;
    if (!command.isWrite) return command.run(context, args);
    const { batch } = context;
    batch.clear();
    const reply = command.run(context, args);
    if (batch.count > 0 && !(reply instanceof ErrorReply)) this.commit(batch.finish());
    return reply;
  }

  /** Waits for one of the command's keys; 0 ms: without end. */
  #block(command: DataCommand, args: readonly Buffer[], timeoutMs: number): void {
    const { wait } = command;
    const owned = wait?.retryArgs?.(this.#context, args) ?? args.map((arg) => Buffer.from(arg));
    const keys = wait?.keysOf?.(owned) ?? keysOfCall(command.keys, owned);
    const byName = new Map(keys.map((key) => [keyName(this.namespace, key), key]));
    const call: BlockedCall = {
      names: [...byName.keys()],
      kind: wait?.type === 'list' || wait?.type === 'zset' ? command.name : undefined,
      retry: (name) => this.#retry(command, owned, byName.get(name)),
    };
    const timeOut = (): void => this.release(() => this.reply.nullArray());
    // A timer cannot run longer than some weeks; who waits that long waits without end.
    const timer = timeoutMs > 0 && timeoutMs <= longestTimerMs ? setTimeout(timeOut, timeoutMs) : undefined;
    this.state.blocked.add(call);
    this.suspend({
      timeOut,
      cancel: () => {
        clearTimeout(timer);
        this.state.blocked.remove(call);
      },
    });
  }

  /** True when the blocked command is answered. */
  #retry(command: DataCommand, args: readonly Buffer[], written: Buffer | undefined): boolean {
    try {
      const type = command.wait?.type;
      if (type !== undefined && written !== undefined && this.#context.findAny(written)?.type !== type)
        return false;
      const reply = this.#tryData(command, args);
      if (isNothing(reply)) return false;
      this.release(() => writeReply(this.reply, reply));
    } catch (error) {
      this.releaseWithError(error, command.name);
    }
    return true;
  }

  #enqueue(queue: TransactionQueue, entry: TableEntry, args: readonly Buffer[]): void {
    if (entry.server?.isRefusedInMulti)
      this.#refuse(`ERR ${entry.name.toUpperCase()} is not allowed in MULTI`);
    else if (queue.push({ entry, args })) this.reply.simple('QUEUED');
    else this.#refuse('ERR the transaction is larger than a request may be');
  }

  /** An error of the request: inside MULTI it spoils the transaction. */
  #refuse(text: string): void {
    this.#queue?.break();
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

  #cancelWait(): void {
    const suspension = this.#suspension;
    this.#suspension = undefined;
    suspension?.cancel();
  }

  /** Hands the replies over to be sent when what they tell of is durable. */
  #flush(sequence = this.state.options.areReadsDurable ? this.state.store.sequence : this.#lastWrite): void {
    if (this.reply.out.length > 0) this.#outbox.push(this.reply.out.take(), sequence);
    if (this.#isClosing && this.#outbox.isEmpty) this.#socket.end();
  }

  #sent(): void {
    if (this.#isClosing) this.#socket.end();
    else this.#resume();
  }

  #forget(): void {
    clearTimeout(this.#linger);
    this.#cancelWait();
    this.pollCursor?.close();
    this.updateStream?.close();
    this.unwatch();
    this.state.connections.delete(this);
  }
}

const isNothing = (reply: Reply): boolean =>
  reply === null || (typeof reply === 'object' && 'kind' in reply && reply.kind === 'nullArray');

/** Output is compared with the limits whenever this much has come together, and at the end of each chunk. */
const checkOutputBytes = 64 * 1024;

/** A client that waits is read on, so that its end is seen, up to this much of what it sends ahead. */
const maxBytesBehindWait = 1024 * 1024;

/** How long a client that is being closed may take for its last replies. */
const lingerMs = 2_000;

/** Longest time that a timer takes. */
const longestTimerMs = 2 ** 31 - 1;

const unknownCommand = (args: readonly Buffer[]): string => {
  const rest = args.slice(1, 21).map((arg) => `\`${arg.toString('utf8', 0, 128)}\``);
  return `ERR unknown command \`${args[0].toString('utf8', 0, 128)}\`, with args beginning with: ${rest.join(', ')}`;
};
