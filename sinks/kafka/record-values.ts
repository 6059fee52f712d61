import {
  ByteWriter,
  type Change,
  CommandEncoder,
  EventEncoder,
  type Transaction,
} from '../../src/kit/index.js';

/** What the value of a record holds: a change event, the Redis commands of a change, or a whole write batch. */
export type ValueFormat = 'event' | 'redis' | 'batch';

/** Makes values of changes. */
export interface ValueWriter {
  /** The value; borrowed until the next call. A string says why the change has none. */
  write(transaction: Transaction, change: Change): Uint8Array | string;
}

export const makeValueWriter = (format: ValueFormat, source: string): ValueWriter =>
  format === 'redis' ? new CommandValues() : new EventValues(source);

class EventValues implements ValueWriter {
  readonly #encoder: EventEncoder;
  readonly #out = new ByteWriter();

  constructor(source: string) {
    this.#encoder = new EventEncoder({ connector: 'tailrace', name: source });
  }

  write(transaction: Transaction, change: Change): Uint8Array {
    this.#out.clear();
    this.#encoder.appendOne(this.#out, transaction, change);
    return this.#out.bytes;
  }
}

/** The commands in RESP, one behind the other: what can be sent to a Redis as it is. */
class CommandValues implements ValueWriter {
  readonly #encoder = new CommandEncoder();
  readonly #out = new ByteWriter();

  write(_: Transaction, change: Change): Uint8Array | string {
    this.#out.clear();
    this.#encoder.append(this.#out, { changes: [change] });
    const [unsupported] = this.#encoder.unsupported;
    return unsupported === undefined ? this.#out.bytes : unsupported.reason;
  }
}
