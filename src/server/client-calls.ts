import { isTailraceError } from '../errors/index.js';
import type { ReplyWriter } from '../resp/index.js';
import { isHttp, refusalOf, unknownCommand } from './admission.js';
import { CallClock } from './call-clock.js';
import type { TableEntry } from './command-table.js';
import type { Connection } from './connection.js';
import { runDataCall } from './data-call.js';
import type { ServerState } from './server-state.js';

/** CLIENT REPLY: `skip next` is SKIP itself, which is not answered either. */
export type ReplyMode = 'on' | 'off' | 'skip next' | 'skip';

/**
 * The commands of one client, one after the other: each is refused, held back by a pause, queued for EXEC, or run and
 * counted. Hot: bench `server`.
 */
export class ClientCalls {
  replies: ReplyMode = 'on';
  /** The name of the last command that was not refused. */
  last = '';
  readonly #connection: Connection;
  readonly #reply: ReplyWriter;
  readonly #state: ServerState;
  readonly #clock = new CallClock();
  #afterwards: (() => void)[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#reply = connection.reply;
    this.#state = connection.state;
  }

  /** Calls follow, until `rest`: none of what happened before counts as time of theirs. */
  begin(): void {
    this.#clock.start();
  }

  rest(): void {
    this.#clock.stop();
  }

  /** Borrows `args`. */
  run(args: readonly Buffer[]): void {
    const mark = this.#reply.out.length;
    this.#dispatch(args, mark);
    if (this.replies !== 'on') this.silence(mark);
  }

  /** Does something when the current command, or the transaction that it is part of, is done. */
  afterwards(action: () => void): void {
    this.#afterwards.push(action);
  }

  /** CLIENT REPLY: drops what was answered since `mark`. A command that waits is not answered yet. */
  silence(mark: number): void {
    if (this.replies === 'on' || this.#connection.isWaiting) return;
    if (this.replies === 'skip next') {
      this.replies = 'skip';
      return;
    }
    this.#reply.out.truncate(mark);
    if (this.replies === 'skip') this.replies = 'on';
  }

  /** Answers a command that has failed. What is not meant for clients is told to the server's owner. */
  fail(error: unknown, command: string): void {
    if (isTailraceError(error) && error.code !== 'INTERNAL') {
      this.#reply.error(`ERR ${error.message}`);
      return;
    }
    this.#state.options.onDefect(error, command);
    this.#reply.error('ERR internal error');
  }

  #dispatch(args: readonly Buffer[], mark: number): void {
    const connection = this.#connection;
    const state = this.#state;
    const entry = state.commands.find(args[0]);
    if (entry === undefined && isHttp(args[0])) {
      state.counters.protocolErrors++;
      connection.end();
      return;
    }
    const refusal = entry === undefined ? unknownCommand(args) : refusalOf(connection, entry, args);
    if (entry === undefined || refusal !== undefined) {
      this.#refuse(refusal ?? '');
      return;
    }
    if (state.pause.isActive && state.pause.holds(isWrite(entry)) && entry.name !== 'client') {
      this.#postpone(args);
      return;
    }
    this.last = entry.name;
    if (connection.multi.isOpen && entry.server?.isTransactional !== true) {
      this.#enqueue(entry, args);
      return;
    }
    if (state.monitor.isActive) state.monitor.show(connection, entry.name, args);
    this.#clock.begins(entry);
    try {
      if (entry.data !== undefined) runDataCall(connection, entry.data, args);
      else entry.server?.run(connection, ownArguments(args));
    } catch (error) {
      this.#reply.out.truncate(mark);
      this.fail(error, entry.name);
    }
    this.#account(entry, args);
    if (this.#afterwards.length > 0) for (const action of this.#afterwards.splice(0)) action();
    state.blocked.serve();
  }

  #enqueue(entry: TableEntry, args: readonly Buffer[]): void {
    const fault = this.#connection.multi.enqueue(entry, ownArguments(args));
    if (fault === undefined) this.#reply.simple('QUEUED');
    else this.#refuse(fault);
  }

  #account(entry: TableEntry, args: readonly Buffer[]): void {
    const { slowLogMicroseconds, slowLogLength } = this.#state.options;
    const microseconds = this.#clock.ended(entry, slowLogMicroseconds);
    if (slowLogMicroseconds < 0 || microseconds < slowLogMicroseconds) return;
    const { address, name } = this.#connection;
    this.#state.slowLog.add(args, Math.round(microseconds), address, name, slowLogLength);
  }

  /** Waits until the pause is over. */
  #postpone(args: readonly Buffer[]): void {
    const connection = this.#connection;
    const owned = ownArguments(args);
    const resume = (): void => {
      this.begin();
      this.run(owned);
    };
    connection.suspend({ cancel: this.#state.pause.wait(() => connection.release(resume)) });
  }

  /** An error of the request: inside MULTI it spoils the transaction. */
  #refuse(text: string): void {
    this.#connection.multi.spoil();
    this.#reply.error(text);
  }
}

/** Those of the parser are borrowed: whoever may need them beyond the call has copies. */
const ownArguments = (args: readonly Buffer[]): readonly Buffer[] => args.map((arg) => Buffer.from(arg));

const isWrite = (entry: TableEntry): boolean =>
  entry.data?.isWrite ?? (entry.server?.flags.includes('write') || mayWrite.has(entry.name));

/** What writes to the log, though not to keys, or by the commands in it. */
const mayWrite: ReadonlySet<string> = new Set(['exec', 'publish', 'mpublish']);
