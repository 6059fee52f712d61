import type { Writable } from 'node:stream';

/** A field in the binary format of its type, with its length before it. */
export interface Parameter {
  readonly byteLength: number;
  readonly blocks: readonly Buffer[];
}

/** What goes to the server in one flight, in order. */
export interface Step {
  readonly statement: string;
  readonly parameters?: readonly Parameter[];
  /** Of COPY … FROM STDIN. */
  readonly data?: readonly Buffer[];
}

/**
 * Several statements, of which no rows are awaited, in one round trip: all messages go out at once, data of COPY among
 * them, and one Sync ends them (PostgreSQL documentation, "Extended Query" and "COPY Operations"). After an error the
 * server skips whatever follows up to the Sync. Parameters are in the binary format of their types.
 *
 *   message   | kind u8 | length of what follows, with itself i32 | …
 *   Parse     'P' | name of the statement "" 0 | text … 0 | number of types i16 = 0
 *   Bind      'B' | portal "" 0 | statement "" 0 | 1 i16 | 1 = binary i16 | parameters i16 | fields … | 0 i16
 *   Execute   'E' | portal "" 0 | rows, 0 = all i32
 *   CopyData  'd' | bytes …
 *   CopyDone  'c'
 *   Sync      'S'
 */
export class Exchange {
  /** Resolves with what the last statement did, such as `COMMIT`. */
  readonly done: Promise<string>;
  readonly #steps: readonly Step[];
  #lastTag = '';
  #resolve: (tag: string) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Called by pg's client when it is this one's turn; the other methods by its connection. */
  submit({ stream }: { readonly stream: Writable }): void {
    stream.cork();
    for (const { statement, parameters = [], data } of this.#steps) {
      stream.write(parse(statement));
      stream.write(bind(parameters));
      for (const { blocks } of parameters) for (const block of blocks) stream.write(block);
      stream.write(endOfBind);
      stream.write(execute);
      if (data === undefined) continue;
      for (const block of data) {
        stream.write(messageHead('d', block.length));
        stream.write(block);
      }
      stream.write(messageHead('c', 0));
    }
    stream.write(messageHead('S', 0));
    stream.uncork();
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#lastTag = text;
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#lastTag);
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  // Its data is under way already.
  handleCopyInResponse(): void {}

  // What a statement returns is not awaited.
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
}

/** The server hangs up at a longer message. @throws Error with the SQLSTATE of a limit of the server */
export const requireSendable = ({ parameters = [] }: Step): void => {
  let bytes = 0;
  for (const { byteLength } of parameters) bytes += byteLength;
  if (bytes <= maxBindBytes) return;
  throw Object.assign(new Error(`${bytes} bytes are more than the server takes for a row`), {
    code: '54000',
  });
};

/** Less than 1 GiB; with room for what stands around the parameters. */
const maxBindBytes = 0x4000_0000 - 4 * 1024;

const headOfBind = Buffer.from([0, 0, 0, 1, 0, 1]);
const endOfBind = Buffer.from([0, 0]); // results as text

const messageHead = (kind: string, length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(5);
  bytes.write(kind, 0, 'latin1');
  bytes.writeInt32BE(4 + length, 1);
  return bytes;
};

const message = (kind: string, body: Buffer): Buffer => Buffer.concat([messageHead(kind, body.length), body]);

const execute = message('E', Buffer.alloc(5));

const parse = (statement: string): Buffer =>
  message('P', Buffer.concat([Buffer.alloc(1), Buffer.from(statement), Buffer.alloc(3)]));

/** Up to the first parameter. */
const bind = (parameters: readonly Parameter[]): Buffer => {
  let length = headOfBind.length + 2 + endOfBind.length;
  for (const { byteLength } of parameters) length += byteLength;
  const count = Buffer.from([parameters.length >> 8, parameters.length]);
  return Buffer.concat([messageHead('B', length), headOfBind, count]);
};
