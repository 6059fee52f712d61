import {
  type ByteWriter,
  type Position,
  type Rejection,
  type Reply,
  type RespConnection,
  StringPutTransaction,
  type Transaction,
  Turns,
  WholeKeys,
  writeCommand,
} from '../../src/kit/index.js';
import type { BatchCommands, TakenWords, WrittenCommands } from './batch-commands.js';
import type { CommandPlace } from './command-places.js';
import type { ControlKey } from './control-key.js';
import { SentReplies } from './sent-replies.js';

/** The replies of one batch, as they came. */
export interface Execution {
  /** Of everything up to EXEC: MULTI first. */
  readonly queued: readonly Reply[];
  readonly executed: Reply | undefined;
  /** The control key, as the next write finds it. */
  readonly fields: Reply | undefined;
}

/** Where a batch goes, and what is known of the server there. */
export interface ServerConnection extends TakenWords {
  readonly connection: RespConnection;
  /** What the batch is encoded into: in use until all replies are there. */
  readonly out: ByteWriter;
  /** Whether it counts commands that fail. */
  readonly countsErrors: boolean;
}

/**
 * A batch as far as it takes no effect by itself: MULTI and its commands, which the server queues. Large ones are on
 * their way to the server while the rest is encoded. Then `execute` or `discard`, once.
 */
export class QueuedBatch {
  readonly transactions: readonly Transaction[];
  /** Where they begin among the replies of EXEC; MULTI is not in it. */
  readonly commandsFrom: number;
  readonly #out: ByteWriter;
  readonly #control: ControlKey;
  readonly #sent: SentReplies;
  /** Resolves when all is encoded; undefined when it was at once, as all but large transactions are. */
  readonly encoding: Promise<void> | undefined;
  #written: WrittenCommands = nothingWritten;
  #commands = 0;
  /** Whether the server counts the commands that fail. */
  readonly #hasMark: boolean;

  constructor(
    transactions: readonly Transaction[],
    commands: BatchCommands,
    control: ControlKey,
    to: ServerConnection,
  ) {
    const { connection, out, countsErrors } = to;
    this.transactions = transactions;
    this.#control = control;
    this.#out = out;
    out.clear();
    this.#hasMark = countsErrors && mayFailAtRunTime(transactions);
    this.#sent = new SentReplies(connection, out);
    writeCommand(out, ['MULTI']);
    if (this.#hasMark) control.writeErrorMark(out);
    this.commandsFrom = this.#hasMark ? 1 : 0;
    this.#sent.expect(1 + this.commandsFrom);
    const before = this.#sent.expected;
    const steps = commands.write(transactions, out, this.#sent, to);
    const turns = new Turns();
    const isDone = (): boolean => {
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) {
          this.#written = step.value;
          this.#commands = this.#sent.expected - before;
          return true;
        }
        if (turns.isOver) return false;
      }
    };
    this.encoding = isDone() ? undefined : encodeRest(isDone, turns, connection);
    this.encoding?.catch(() => undefined); // a batch that was sent ahead may never be written
  }

  /** Data commands. */
  get commands(): number {
    return this.#commands;
  }

  /** Changes that the target cannot take. With any, the batch is to be discarded. */
  get rejections(): readonly Rejection[] {
    return this.#written.rejections;
  }

  /** The changes behind a data command; undefined when there is no such command. */
  placeOf(command: number): CommandPlace | undefined {
    return command < 0 ? undefined : this.#written.placeOf(command);
  }

  /** Sends what is encoded, so that the server can queue it before its turn. */
  sendAhead(): void {
    if (this.encoding === undefined) this.#sent.sendAll(); // large parts are on their way
  }

  /** Once all is encoded: carries it out with the position behind it, and arms the next write. */
  async execute(epoch: number, position: Position): Promise<Execution> {
    this.#control.writePosition(this.#out, epoch, position);
    if (this.#hasMark) this.#control.writeErrorCount(this.#out);
    writeCommand(this.#out, ['EXEC']);
    this.#control.writeArm(this.#out);
    this.#sent.expect(this.#hasMark ? 5 : 4);
    const replies = await this.#sent.replies();
    return { queued: replies.slice(0, -3), executed: replies.at(-3), fields: replies.at(-1) };
  }

  /** Gives up what was queued, and arms the next write. Returns the control key. */
  async discard(): Promise<Reply | undefined> {
    if (this.encoding !== undefined) await this.encoding;
    writeCommand(this.#out, ['DISCARD']);
    this.#control.writeArm(this.#out);
    this.#sent.expect(3);
    const replies = await this.#sent.replies();
    return replies.at(-1);
  }
}

/** @throws Error when the connection was lost or given up meanwhile: what is encoded into is another's then */
const encodeRest = async (isDone: () => boolean, turns: Turns, connection: RespConnection): Promise<void> => {
  do {
    await turns.next();
    if (connection.error !== undefined) throw connection.error;
  } while (!isDone());
};

const nothingWritten: WrittenCommands = { rejections: [], placeOf: () => undefined };

/** SET, DEL and expiries work on keys of any type, and JSON.SET behind a DEL. */
const mayFailAtRunTime = (transactions: readonly Transaction[]): boolean => {
  for (const transaction of transactions) {
    if (transaction instanceof StringPutTransaction) continue;
    if (transaction instanceof WholeKeys) {
      if (transaction.isStrings) continue;
      return true;
    }
    for (const { type } of transaction.changes)
      if (type !== 'string' && type !== 'key' && type !== 'json') return true;
  }
  return false;
};
