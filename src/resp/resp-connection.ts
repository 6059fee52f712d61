import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { asError, codeOf, isTailraceError, TailraceError } from '../errors/index.js';
import { type CommandArgument, encodeCommand } from './command-encoder.js';
import type { RespAddress } from './redis-url.js';
import { type Reply, ReplyError, ReplyParser } from './reply-parser.js';

/**
 * A client's connection to a server that speaks RESP, made for bulk: bytes are written as they are given, replies
 * come back in order. It never reconnects; whoever owns it knows what a lost connection means.
 */
export class RespConnection {
  readonly #socket: Socket;
  readonly #parser = new ReplyParser();
  readonly #waiting: {
    replies: Reply[];
    left: number;
    resolve(replies: Reply[]): void;
    reject(error: Error): void;
  }[] = [];
  #error: Error | undefined;

  /**
   * Connects, authenticates and selects the database: each within `timeoutMs`, unless `answerTimeoutMs` says otherwise.
   * With that, a server that owes replies and neither takes nor sends a byte for so long counts as lost later on too.
   * @throws TailraceError `SOURCE_UNREACHABLE` (may be retried) | `SOURCE_REFUSED`
   */
  static async open(
    address: RespAddress,
    options: { timeoutMs?: number; answerTimeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<RespConnection> {
    const { timeoutMs = defaultConnectTimeoutMs, answerTimeoutMs, signal } = options;
    const arrival: Arrival = { receive: () => undefined };
    const socket = await connectSocket(address, timeoutMs, arrival, signal);
    const connection = new RespConnection(socket, arrival);
    const silenceMs = answerTimeoutMs ?? timeoutMs;
    socket.on('timeout', () => connection.#giveUpSilence(silenceMs));
    socket.setTimeout(silenceMs);
    const abort = (): void => connection.#giveUp(asError(signal?.reason));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    try {
      if (address.password !== undefined) {
        const words = address.username
          ? ['AUTH', address.username, address.password]
          : ['AUTH', address.password];
        requireAccepted(await connection.call(...words), address, 'AUTH');
      }
      if (address.database)
        requireAccepted(await connection.call('SELECT', address.database), address, 'SELECT');
      if (answerTimeoutMs === undefined) socket.setTimeout(0);
      return connection;
    } catch (error) {
      connection.close();
      throw isTailraceError(error) ? error : unreachable(address, error);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private constructor(socket: Socket, arrival: Arrival) {
    this.#socket = socket;
    arrival.receive = (chunk) => this.#receive(chunk);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs); // a peer that vanished is noticed also while nothing is asked of it
    socket.on('error', (error) => this.#end(this.#behindAnswer(inWords(error))));
    socket.on('close', () => this.#end(this.#behindAnswer(new Error('the connection was closed'))));
  }

  /** Why the connection is of no more use; undefined while it is. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Bytes that are written but not yet taken by the operating system. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Writes encoded commands and resolves to their `replyCount` replies; error replies are values among them. Rejects
   * when the connection is lost: whether the server carried out the commands is then unknown. The bytes must not
   * change until then.
   */
  send(bytes: Uint8Array, replyCount: number): Promise<Reply[]> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#socket.write(bytes);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ replies: [], left: replyCount, resolve, reject });
    });
  }

  /** One command, one reply. */
  async call(...args: readonly CommandArgument[]): Promise<Reply> {
    const [reply] = await this.send(encodeCommand(...args), 1);
    return reply;
  }

  /** Closes at once; what still waits is rejected. Idempotent. */
  close(): void {
    this.#socket.destroy();
    this.#end(new Error('the connection was closed'));
  }

  /** A server that turns a client away, or cannot read on, says why and owes the other answers. */
  #behindAnswer(error: Error): Error {
    const last = this.#waiting[0]?.replies.at(-1);
    if (!(last instanceof ReplyError)) return error;
    return new Error(`${error.message} behind the answer ${last.message}`, { cause: error });
  }

  #giveUpSilence(timeoutMs: number): void {
    if (this.#waiting.length === 0) return;
    // What came while this process stood still (a machine asleep, a debugger) is not read yet when its timers are due.
    const { bytesRead } = this.#socket;
    setImmediate(() => {
      if (this.#socket.bytesRead === bytesRead) this.#giveUp(new Error(`no answer within ${timeoutMs} ms`));
    });
  }

  #giveUp(reason: Error): void {
    this.#end(reason);
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#parser.feed(chunk);
      for (let reply = this.#parser.next(); reply !== undefined; reply = this.#parser.next())
        this.#deliver(reply);
    } catch (error) {
      this.#giveUp(asError(error));
    }
  }

  #deliver(reply: Reply): void {
    const waiting = this.#waiting[0];
    if (waiting === undefined) return; // a push message that nobody asked for
    waiting.replies.push(reply);
    if (--waiting.left > 0) return;
    this.#waiting.shift(); // at once: replies may be large
    waiting.resolve(waiting.replies);
  }

  #end(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    const waiting = this.#waiting.splice(0);
    for (const entry of waiting) entry.reject(error);
  }
}

/** Whoever is told of the bytes that arrive; they are borrowed for the call. */
interface Arrival {
  receive(chunk: Buffer): void;
}

/** All that arrives comes through the same memory, but by TLS: new memory for each piece costs as much as reading it. */
const openSocket = ({ host, port, tls }: RespAddress, arrival: Arrival): Socket => {
  if (tls !== undefined) {
    const socket = connectTls({ ...(typeof tls === 'function' ? tls() : tls), host, port });
    socket.on('data', (chunk: Buffer) => arrival.receive(chunk));
    return socket;
  }
  const buffer = Buffer.allocUnsafeSlow(arrivalBytes);
  const callback = (byteLength: number): boolean => {
    arrival.receive(buffer.subarray(0, byteLength));
    return true;
  };
  return connectTcp({ host, port, onread: { buffer, callback } });
};

const connectSocket = (
  address: RespAddress,
  timeoutMs: number,
  arrival: Arrival,
  signal?: AbortSignal,
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { tls } = address;
    let socket: Socket;
    try {
      socket = openSocket(address, arrival);
    } catch (error) {
      // Certificates that are just being replaced are whole, and belong together, at the next try.
      reject(unreachable(address, error));
      return;
    }
    const fail = (error: unknown): void => {
      finish();
      socket.destroy();
      reject(unreachable(address, error));
    };
    const timer = setTimeout(() => fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    const abort = (): void => fail(signal?.reason ?? new Error('aborted'));
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.removeListener('error', fail);
    };
    socket.once('error', fail);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      finish();
      resolve(socket);
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
  });

const requireAccepted = (reply: Reply, address: RespAddress, command: string): void => {
  if (!(reply instanceof ReplyError)) return;
  if (isPassing.test(reply.message)) throw unreachable(address, reply);
  throw new TailraceError(
    'SOURCE_REFUSED',
    `${address.host}:${address.port} refused ${command}: ${reply.message}`,
    {
      context: { host: address.host, port: address.port },
      remedy: 'Check the user name, the password and the database number.',
    },
  );
};

/** What a server answers that will take the login later. */
const isPassing = /^(LOADING|BUSY|MASTERDOWN|TRYAGAIN)\b|max number of clients/;

const unreachable = (address: RespAddress, cause: unknown): TailraceError => {
  const { reason, remedy } = whyUnreachable(cause);
  return new TailraceError('SOURCE_UNREACHABLE', `cannot reach ${address.host}:${address.port}: ${reason}`, {
    context: { host: address.host, port: address.port },
    remedy,
    cause,
  });
};

const whyUnreachable = (cause: unknown): { reason: string; remedy: string } => {
  const remedy = 'Check the address, and that the server is running.';
  // A name with several addresses fails with one error for each, and says nothing itself.
  const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  if (!(error instanceof Error)) return { reason: String(error), remedy };
  const code = codeOf(error);
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return { reason: 'it does not speak TLS', remedy: 'Write redis:// instead of rediss://.' };
  if (isTailraceError(error))
    return {
      reason: `${error.context['reason'] ?? error.message}`,
      remedy: 'Put the files of its certificates back in their places: each try reads them anew.',
    };
  const certificateRemedy = certificateRemedies[code];
  if (certificateRemedy !== undefined) return { reason: error.message, remedy: certificateRemedy };
  if (/CERT|UNABLE_TO_/.test(code)) return { reason: error.message, remedy: untrustedRemedy };
  return { reason: inWords(error).message.trim(), remedy };
};

const untrustedRemedy =
  'Name the authority of its certificate, or the certificate: rediss://…?cacert=FILE, or NODE_EXTRA_CA_CERTS.';
const outOfTimeRemedy = 'Give the server a certificate that is valid now, or set the clock of this machine.';
/** For a certificate that would be trusted but for this. */
const certificateRemedies: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: outOfTimeRemedy,
  CERT_NOT_YET_VALID: outOfTimeRemedy,
  ERR_TLS_CERT_ALTNAME_INVALID: 'Give the address by a name that the certificate of the server is for.',
};

/** An alert of TLS, which OpenSSL tells with its source line, in words; any other error as it is. */
const inWords = (error: Error): Error => {
  const code = codeOf(error);
  if (!code.startsWith('ERR_SSL_') || !code.includes('_ALERT_')) return error;
  if (code.endsWith('CERTIFICATE_REQUIRED') || code.endsWith('HANDSHAKE_FAILURE'))
    return new Error('it demands a certificate of its clients: rediss://…?cert=FILE&key=FILE', {
      cause: error,
    });
  const alert = code
    .slice(code.indexOf('_ALERT_') + '_ALERT_'.length)
    .toLowerCase()
    .replaceAll('_', ' ');
  const reason = /certificate|unknown ca/.test(alert)
    ? `it does not take the certificate that it is shown: ${alert}`
    : `it ends the connection by TLS: ${alert}`;
  return new Error(reason, { cause: error });
};

const defaultConnectTimeoutMs = 5_000;
const keepAliveMs = 60_000;
const arrivalBytes = 64 * 1024;
