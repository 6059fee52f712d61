import { isTailraceError, messageOf, TailraceError } from '../errors/index.js';
import { orGivenUp } from '../kit/index.js';
import {
  ByteWriter,
  type CommandArgument,
  type Reply,
  ReplyError,
  type RespAddress,
  RespConnection,
  writeCommand,
} from '../resp/index.js';

/** A connection for reading keys, opened when it is needed. */
export class ServerConnection {
  readonly #address: RespAddress;
  #connection: RespConnection | undefined;
  #opening: Promise<RespConnection> | undefined;
  readonly #greet: ((connection: RespConnection) => Promise<void>) | undefined;
  #session = 0;

  /** @param greet is done on each new connection before anything else is sent; what it throws is thrown by the call */
  constructor(address: RespAddress, greet?: (connection: RespConnection) => Promise<void>) {
    this.#address = address;
    this.#greet = greet;
  }

  get place(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }

  /** A connection to the same server by another password: the token of a namespace. */
  by(password: string): ServerConnection {
    const { username: _, ...address } = this.#address;
    return new ServerConnection({ ...address, password });
  }

  /** Counts the connections: another number, another connection. */
  get session(): number {
    return this.#session;
  }

  /** True when the connection of that number still stands: whoever answers is who answered before. */
  async isAlive(session: number, signal: AbortSignal): Promise<boolean> {
    if (session !== this.#session || !this.isOpen) return false;
    try {
      await this.callAll(signal, [['PING']]);
      return session === this.#session;
    } catch (error) {
      signal.throwIfAborted();
      if (isTailraceError(error, 'SOURCE_UNREACHABLE')) return false;
      throw error;
    }
  }

  /** False when it is not open, or lost. */
  get isOpen(): boolean {
    return this.#connection !== undefined && this.#connection.error === undefined;
  }

  /** One command, one reply. Rejects when the signal aborts or the connection is lost. */
  async call(signal: AbortSignal, ...words: readonly CommandArgument[]): Promise<Reply> {
    const [reply] = await this.callAll(signal, [words]);
    return reply;
  }

  /** Sends all commands at once; error replies are values. */
  async callAll(signal: AbortSignal, commands: readonly (readonly CommandArgument[])[]): Promise<Reply[]> {
    if (commands.length === 0) return [];
    const out = new ByteWriter(16 * 1024);
    for (const words of commands) writeCommand(out, words);
    return await this.sendEncoded(signal, out.bytes, commands.length);
  }

  /** Sends commands that are encoded already. */
  async sendEncoded(signal: AbortSignal, bytes: Uint8Array, commands: number): Promise<Reply[]> {
    const connection = await this.#open(signal);
    try {
      return await orGivenUp(connection.send(bytes, commands), signal);
    } catch (cause) {
      this.close();
      signal.throwIfAborted();
      throw this.#lost(cause);
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  #lost(cause: unknown): TailraceError {
    const reason = messageOf(cause);
    return new TailraceError('SOURCE_UNREACHABLE', `lost ${this.place}: ${reason}`, {
      context: { server: this.place },
      remedy: 'Check that the server is running; started again, it goes on where it stands.',
      cause,
    });
  }

  /** Several calls may come at once: they share the connection that the first one opens. */
  async #open(signal: AbortSignal): Promise<RespConnection> {
    if (this.#connection !== undefined && this.#connection.error === undefined) return this.#connection;
    this.#opening ??= this.#connect(signal);
    try {
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  async #connect(signal: AbortSignal): Promise<RespConnection> {
    const connection = await this.#dial(signal);
    try {
      if (this.#greet !== undefined) await orGivenUp(this.#greet(connection), signal);
    } catch (error) {
      connection.close();
      signal.throwIfAborted();
      throw isTailraceError(error) ? error : this.#lost(error);
    }
    this.#connection = connection;
    this.#session++;
    return connection;
  }

  async #dial(signal: AbortSignal): Promise<RespConnection> {
    try {
      return await RespConnection.open(this.#address, { signal });
    } catch (error) {
      signal.throwIfAborted(); // given up because it was told to, which says nothing of the server
      throw error;
    }
  }
}

/** The reply, unless it is an error. @throws TailraceError `SOURCE_REFUSED` | `SOURCE_UNSUPPORTED` | `SOURCE_UNREACHABLE` */
export const requireReply = (reply: Reply | undefined, what: string, place: string): Reply => {
  if (reply === undefined) throw new RangeError(`no reply to ${what}`);
  if (!(reply instanceof ReplyError)) return reply;
  const { message } = reply;
  const isBusy = /^(LOADING|MASTERDOWN|TRYAGAIN|BUSY|CLUSTERDOWN)\b/.test(message);
  const isRefusal = /^(NOAUTH|WRONGPASS|NOPERM)\b|invalid password|admin permission|authentication/i.test(
    message,
  );
  const code = isBusy ? 'SOURCE_UNREACHABLE' : isRefusal ? 'SOURCE_REFUSED' : 'SOURCE_UNSUPPORTED';
  throw new TailraceError(code, `${place} refuses ${what}: ${message}`, {
    context: { server: place },
    remedy: isRefusal
      ? 'Give the password of the administrator.'
      : isBusy
        ? 'Wait until the server is ready.'
        : 'The server must be Apache Kvrocks 2.10 or later, or tailrace serve.',
  });
};
