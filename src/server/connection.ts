import type { Socket } from 'node:net';
import type { CommandContext, CommandTransaction } from '../data-model/commands/index.js';
import { type ArgumentViews, ReplyWriter, RequestParser } from '../resp/index.js';
import type { WriteBatchBuilder } from '../write-batch/index.js';
import { ClientCalls } from './client-calls.js';
import { ClientTransaction } from './client-transaction.js';
import { Outbox } from './outbox.js';
import type { ServerState } from './server-state.js';
import { Session } from './session.js';
import { readShared } from './shared-reads.js';
import type { PollCursor } from './updates/poll-cursor.js';
import type { UpdateStream } from './updates/update-stream.js';

/** What a connection waits for before its next command. */
export interface Suspension {
  /** Lets go of what was arranged: the wait is over, or the client is gone. */
  cancel(): void;
  /** Answers as after the timeout. Absent where CLIENT UNBLOCK has no say. */
  readonly timeOut?: () => void;
  /** What is waited for is work under way: also a client that has sent its last gets the answer. */
  readonly isUnderWay?: true;
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
  readonly session: Session;
  readonly calls: ClientCalls;
  readonly multi = new ClientTransaction(this);
  readonly createdAtMs = Date.now();
  name = '';
  libraryName = '';
  libraryVersion = '';
  /** Date.now() when it last sent something. */
  lastActiveMs = Date.now();
  pollCursor: PollCursor | undefined;
  updateStream: UpdateStream | undefined;
  /** What EXEC is running. */
  transaction: CommandTransaction | undefined;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  readonly #outbox: Outbox;
  #isHeld = false;
  /** The client sends no more. */
  #hasEnded = false;
  #isClosing = false;
  #linger: NodeJS.Timeout | undefined;
  #lastWrite = 0;
  #isRunning = false;
  #suspension: Suspension | undefined;

  constructor(socket: Socket, state: ServerState) {
    this.#socket = readShared(socket, (chunk, views) => this.#receive(chunk, views));
    this.state = state;
    this.id = state.nextClientId++;
    this.calls = new ClientCalls(this);
    this.#parser = new RequestParser();
    this.session = new Session(state, {
      onLeave: () => state.pubSub.remove(this), // its channels are those of the namespace
      onLimits: (limits) => {
        this.#parser.limits = limits;
      },
    });
    this.#outbox = new Outbox(this.#socket, state.departures, () => this.#sent());
    this.#socket.setNoDelay(true);
    this.#socket.on('drain', () => this.#resume());
    this.#socket.on('end', () => this.#takeLeave());
    this.#socket.on('error', () => this.#socket.destroy()); // a client that went away is no event of ours
    this.#socket.on('close', () => this.#forget());
  }

  get address(): string {
    return `${this.#socket.remoteAddress}:${this.#socket.remotePort}`;
  }

  get localAddress(): string {
    return `${this.#socket.localAddress}:${this.#socket.localPort}`;
  }

  /** What its data commands run on. */
  get context(): CommandContext {
    return this.session.context;
  }

  get namespace(): string {
    return this.session.context.namespace;
  }

  /** False while EXEC runs the queue: nothing in a transaction waits. */
  get mayWait(): boolean {
    return this.transaction === undefined;
  }

  get isSubscriber(): boolean {
    return this.state.pubSub.isSubscriber(this);
  }

  get isWaiting(): boolean {
    return this.#suspension !== undefined;
  }

  /** Bytes of commands that have not run. */
  get queryBytes(): number {
    return this.#parser.bufferedBytes;
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten;
  }

  /** Bytes of replies that the client has not taken. */
  get unsentBytes(): number {
    return this.#outbox.unsentBytes + this.reply.out.length;
  }

  /** Sends what is ready, then closes. A client that does not take it in time is closed all the same. */
  end(): void {
    this.#linger ??= setTimeout(() => this.#socket.destroy(), lingerMs);
    if (this.#isHeld) this.#socket.resume(); // or its own end would never be seen
    this.#close();
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
    const mark = this.reply.out.length;
    answer();
    this.calls.silence(mark);
    this.#flush(sequence);
    // Not at once: whoever released it may be in the middle of a command of his own.
    queueMicrotask(() => this.#run());
  }

  releaseWithError(error: unknown, command: string): void {
    this.release(() => this.calls.fail(error, command));
  }

  /** Sends what was written to `reply` outside of a command: pushes that tell of what is durable. */
  push(): void {
    if (!this.#isRunning) this.#flush(this.state.store.durableSequence);
  }

  /** Sends a message that was written to `reply`, when all that was committed before it is durable. */
  pushMessage(): void {
    if (!this.#isRunning) this.#flush();
    if (this.unsentBytes > this.state.options.subscriberOutputBytes) this.#closeForOutput();
  }

  /** CLIENT UNBLOCK: false when the client does not wait for anything that it can be released from. */
  unblock(isError: boolean): boolean {
    const timeOut = this.#suspension?.timeOut;
    if (timeOut === undefined) return false;
    if (isError) this.release(() => this.reply.error('UNBLOCKED client unblocked via CLIENT UNBLOCK'));
    else timeOut();
    return true;
  }

  /** Commits a batch of this client, or adds it to its transaction; the reply waits until it is durable. */
  commit(batch: Buffer): void {
    if (this.transaction !== undefined) this.transaction.batch.append(batch);
    else this.#lastWrite = this.state.commit(batch);
  }

  /** `commit` of what a builder holds. */
  commitBuilt(builder: WriteBatchBuilder): void {
    if (this.transaction !== undefined) this.transaction.batch.append(builder.finish());
    else this.#lastWrite = this.state.commitBuilt(builder);
  }

  #receive(chunk: Buffer, views: ArgumentViews | undefined): void {
    if (this.#isClosing) return; // nothing behind the last command counts, nor is it kept
    this.lastActiveMs = Date.now();
    this.#parser.feed(chunk, views);
    if (this.#suspension === undefined) this.#run();
    else if (this.#parser.bufferedBytes > maxBytesBehindWait) this.#hold();
    this.#parser.keep(); // the chunk is borrowed
  }

  /** Runs the commands that have arrived, as long as the client takes their replies and none of them waits. */
  #run(): void {
    this.#isRunning = true;
    this.calls.begin();
    this.#runCommands();
    this.calls.rest();
    this.#isRunning = false;
  }

  #runCommands(): void {
    while (!this.#isClosing && this.#suspension === undefined && this.#parser.next()) {
      this.calls.run(this.#parser.args);
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
    if (this.#limitOutput()) return; // many small replies fill memory as well as few large ones
    this.#unhold();
    if (this.#hasEnded && this.#suspension === undefined) this.#close();
  }

  /** True when the client must not be served on: it has too many replies to read first, or was closed for them. */
  #limitOutput(): boolean {
    const { softOutputBytes, hardOutputBytes } = this.state.options;
    const bytes = this.unsentBytes;
    if (bytes > hardOutputBytes) {
      this.#closeForOutput();
      return true;
    }
    if (bytes <= softOutputBytes || this.#isClosing) return false;
    this.#hold();
    return true;
  }

  #closeForOutput(): void {
    if (this.#socket.destroyed) return; // messages go on coming until the socket tells that it is closed
    this.state.counters.closedForOutput++;
    this.#socket.destroy();
  }

  /** The client has sent its last, and may still read: it gets its replies, but waits for nobody any more. */
  #takeLeave(): void {
    this.#hasEnded = true;
    const isDone = this.#suspension === undefined ? !this.#isHeld : this.#suspension.isUnderWay !== true;
    if (isDone) this.#close();
  }

  /** Sends what is ready, then closes. */
  #close(): void {
    this.#isClosing = true;
    this.#cancelWait();
    this.#flush();
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
    this.session.close();
    this.pollCursor?.close();
    this.updateStream?.close();
    this.state.pubSub.remove(this);
    this.state.monitor.remove(this);
    this.multi.unwatch();
    this.state.counters.receivedBytes += this.receivedBytes;
    this.state.counters.sentBytes += this.sentBytes;
    this.state.connections.delete(this);
  }
}

/** Output is compared with the limits whenever this much has come together, and at the end of each chunk. */
const checkOutputBytes = 64 * 1024;

/** A client that waits is read on, so that its end is seen, up to this much of what it sends ahead. */
const maxBytesBehindWait = 1024 * 1024;

/** How long a client that is being closed may take for its last replies. */
export const lingerMs = 2_000;
