import {
  ByteWriter,
  CommandEncoder,
  EventEncoder,
  type EventSource,
  LogFramer,
  type Rejection,
  type SinkBatch,
  type Transaction,
  Turns,
  WholeKeys,
} from '../../src/kit/index.js';

/** Turns batches into the bytes of a segment. What it returns is borrowed until the next call. */
export interface BatchEncoding {
  /** @param fileOffset where in the segment the bytes will stand */
  encode(batch: SinkBatch, fileOffset: number): Buffer | Promise<Buffer>;
  /** What of the last batch cannot be written in this form. */
  readonly rejections: readonly Rejection[];
  /** What a file of this form begins with, by which it is told from another; undefined of one in a directory of its own. */
  readonly firstByte: string | undefined;
}

/** Change events, one JSON object a line. */
export class EventLines implements BatchEncoding {
  readonly rejections = [];
  readonly firstByte = '{';
  readonly #encoder: EventEncoder;
  readonly #out = new ByteWriter(256 * 1024);

  constructor(source: EventSource) {
    this.#encoder = new EventEncoder(source);
  }

  /** In turns: a large transaction takes seconds. */
  async encode({ transactions }: SinkBatch): Promise<Buffer> {
    this.#out.clear();
    const turns = new Turns();
    for (const transaction of transactions) {
      const { length } = transaction.changes;
      for (let from = 0; from < length; from += changesInTurn) {
        this.#encoder.append(this.#out, transaction, from, from + changesInTurn);
        if (turns.isOver) await turns.next();
      }
    }
    return this.#out.bytes;
  }
}

/** What is written between two looks at the clock. */
const changesInTurn = 1_000;

/** The write batches as they are, in RocksDB's log format: what `ldb dump_wal` and the source `wal` read. */
export class RawBatches implements BatchEncoding {
  readonly rejections = [];
  readonly firstByte = undefined;
  readonly #framer = new LogFramer(256 * 1024);

  encode({ transactions }: SinkBatch, fileOffset: number): Buffer {
    this.#framer.restart(fileOffset);
    for (const { bytes } of transactions) this.#framer.append(bytes);
    return this.#framer.bytes;
  }
}

/** Redis commands as a client sends them: what `redis-cli --pipe` takes. */
export class RespCommands implements BatchEncoding {
  rejections: readonly Rejection[] = [];
  readonly firstByte = '*';
  readonly #encoder: CommandEncoder;
  readonly #out = new ByteWriter(256 * 1024);

  /** @param prefixes what the keys of each namespace start with */
  constructor(prefixes: Readonly<Record<string, string>>) {
    this.#encoder = new CommandEncoder({ prefixes });
  }

  /** In turns, as the events are. */
  async encode({ transactions }: SinkBatch): Promise<Buffer> {
    this.#out.clear();
    const rejections: Rejection[] = [];
    const turns = new Turns();
    for (const [transaction, whole] of transactions.entries()) {
      const count = whole instanceof WholeKeys ? 1 : whole.changes.length;
      for (let from = 0; from < count; ) {
        from = this.#appendFrom(from, whole);
        for (const { change, reason } of this.#encoder.unsupported)
          rejections.push({ transaction, change, reason });
        if (turns.isOver) await turns.next();
      }
    }
    this.rejections = rejections;
    return this.#out.bytes;
  }

  /** Whole keys at once, of others some changes. Returns the index behind them. */
  #appendFrom(from: number, transaction: Transaction): number {
    if (transaction instanceof WholeKeys) {
      this.#encoder.append(this.#out, transaction);
      return 1;
    }
    return this.#encoder.appendPart(this.#out, transaction.changes, from, from + changesInTurn);
  }
}
