import { createServer, type Socket, type Server as TcpServer } from 'node:net';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import { commandServices } from '../data-model/commands/index.js';
import { Engine, type Store } from '../engine/index.js';
import { addressUnavailable, messageOf, TailraceError } from '../errors/index.js';
import { isLoopback } from './commands/config-commands.js';
import { Connection, lingerMs } from './connection.js';
import { mostClients, mostSockets } from './most-clients.js';
import { defaultServerOptions, type ServerOptions, type TlsFiles } from './server-options.js';
import { ServerState } from './server-state.js';

/**
 * Serves a store to Redis clients, and its log to those of Kvrocks.
 *
 * @example
 * await using server = await Server.listen(engine, { port: 6666 });
 */
export class Server implements AsyncDisposable {
  readonly #tcp: TcpServer;
  readonly #state: ServerState;
  readonly #idleTimer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  /**
   * Starts to listen. The store stays the caller's to close.
   * @throws TailraceError `CONFIG_INVALID` when the address is open to others without a password | `ADDRESS_UNAVAILABLE`
   */
  static async listen(store: Store, options: Partial<ServerOptions> = {}): Promise<Server> {
    const all: ServerOptions = {
      ...defaultServerOptions,
      // Without syncs there is no durability that a read could run ahead of.
      areReadsDurable: store instanceof Engine && store.syncMode === 'always',
      ...options,
      maxClients: Math.min(options.maxClients ?? defaultServerOptions.maxClients, mostClients()),
    };
    requireProtected(all);
    const tcp = makeListener(all);
    // Those behind get no answer: they must not take what the store needs to open its next file, without which it fails.
    const sockets = mostSockets();
    if (Number.isFinite(sockets)) tcp.maxConnections = sockets;
    const state = new ServerState(store, commandServices(), all);
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', (cause) => reject(addressUnavailable(all.host, all.port, cause)));
      tcp.listen(all.port, all.host, resolve);
    });
    return new Server(tcp, state);
  }

  private constructor(tcp: TcpServer, state: ServerState) {
    this.#tcp = tcp;
    this.#state = state;
    // Behind a turn of reading: whoever wrote while the process stood still was not idle.
    this.#idleTimer = setInterval(() => setImmediate(closeIdle, state), idleCheckMs);
    this.#idleTimer.unref();
    tcp.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
    tcp.on(state.options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      state.counters.connections++;
      if (state.connections.size >= state.options.maxClients) {
        state.counters.rejectedConnections++;
        turnAway(socket);
        return;
      }
      state.connections.add(new Connection(socket, state));
    });
  }

  get host(): string {
    return this.#state.options.host;
  }

  /** The port that it listens on. */
  get port(): number {
    const address = this.#tcp.address();
    return typeof address === 'object' && address !== null ? address.port : this.#state.options.port;
  }

  /** How many clients it takes at a time: what was asked for, or fewer where the process may not open so many files. */
  get maxClients(): number {
    return this.#state.options.maxClients;
  }

  get connections(): number {
    return this.#state.connections.size;
  }

  /**
   * Shows another certificate to whoever connects from now on; only on a server that listens by TLS.
   * @throws TailraceError `CONFIG_INVALID`, and goes on with the one that it has
   */
  useTls(tls: TlsFiles): void {
    const tcp = this.#tcp;
    if (!(tcp instanceof TlsServer)) throw new RangeError('the server listens without TLS');
    withCertificate(() => tcp.setSecureContext(tls));
  }

  /** Takes no more clients, sends what is ready, and closes. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      clearInterval(this.#idleTimer);
      this.#state.pause.end();
      this.#state.expiry?.[Symbol.dispose]();
      const compaction = this.#state.compaction?.stop();
      this.#tcp.close(() => resolve(compaction));
      for (const connection of this.#state.connections) connection.end();
      this.#state.heapProfiler.disable();
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * What it has sent is read, or it would see its connection reset in place of the reason. It is not counted, so it may
 * not stay.
 */
const turnAway = (socket: Socket): void => {
  const linger = setTimeout(() => socket.destroy(), lingerMs);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clearTimeout(linger));
  socket.resume();
  socket.end('-ERR max number of clients reached\r\n');
};

const makeListener = (options: ServerOptions): TcpServer => {
  const { tls } = options;
  if (tls === undefined) return createServer(socketOptions);
  const isMutual = tls.ca !== undefined;
  return withCertificate(() =>
    createTlsServer({ ...socketOptions, ...tls, requestCert: isMutual, rejectUnauthorized: isMutual }),
  );
};

const withCertificate = <Result>(use: () => Result): Result => {
  try {
    return use();
  } catch (cause) {
    const reason = messageOf(cause);
    throw new TailraceError('CONFIG_INVALID', `the TLS certificate or key cannot be used: ${reason}`, {
      remedy: 'Give a certificate and its private key in PEM.',
      cause,
    });
  }
};

/** A client whose machine is gone is noticed while it is silent, as in Redis: it might wait for what others need. */
const socketOptions = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** Those that wait, listen or stream are silent for good reason. */
const closeIdle = (state: ServerState): void => {
  const { idleTimeoutSeconds } = state.options;
  if (idleTimeoutSeconds === 0) return;
  const oldestMs = Date.now() - idleTimeoutSeconds * 1000;
  for (const client of state.connections) {
    if (client.lastActiveMs > oldestMs || client.isWaiting || client.isSubscriber) continue;
    if (client.updateStream !== undefined || state.monitor.has(client)) continue;
    state.counters.closedIdle++;
    client.destroy();
  }
};

const idleCheckMs = 1_000;

/** @throws TailraceError `CONFIG_INVALID` when the address would be open to others without a password */
export const requireProtected = ({
  host,
  password,
  isProtected,
}: Pick<ServerOptions, 'host' | 'password' | 'isProtected'>): void => {
  if (!isProtected || password !== '' || isLoopback(host)) return;
  throw new TailraceError('CONFIG_INVALID', `refusing to listen on ${host} without a password`, {
    context: { host },
    remedy:
      'Set a password (`serve --requirepass`, TAILRACE_PASSWORD), listen on 127.0.0.1, or say --no-protected-mode knowingly.',
  });
};
