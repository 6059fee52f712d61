import type { RequestLimits } from '../resp/index.js';
import { defaultRequestLimits } from '../resp/index.js';

/** What TLS needs, in PEM. With `ca`, clients must show a certificate that it has signed. */
export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca?: string | Buffer;
}

/** How a server behaves towards its clients. Sizes in bytes. */
export interface ServerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Clients must AUTH with it; empty = no password. */
  readonly password: string;
  /** Refuses to listen beyond loopback without a password. */
  readonly isProtected: boolean;
  readonly maxClients: number;
  readonly request: RequestLimits;
  /** Replies a client has not read yet: above the soft limit its requests wait, above the hard one it is closed. */
  readonly softOutputBytes: number;
  readonly hardOutputBytes: number;
  /** A subscriber with more messages than this to read is closed. */
  readonly subscriberOutputBytes: number;
  /** Closes clients that have sent nothing for so long; 0 = never. Those that wait, subscribe or stream are spared. */
  readonly idleTimeoutSeconds: number;
  /** Commands that take longer are kept in the slow log, in microseconds; negative = none. */
  readonly slowLogMicroseconds: number;
  readonly slowLogLength: number;
  /** Where namespaces and their tokens are kept; undefined = they last as long as the server. */
  readonly namespacesFile: string | undefined;
  /** Certificate, key, and the authority that clients' certificates must be signed by, in PEM; undefined = no TLS. */
  readonly tls: TlsFiles | undefined;
  /** `lazy`: an expired key is no longer seen, as in Kvrocks; `active`: it is also deleted in the log. */
  readonly expire: 'lazy' | 'active';
  /** Drops what nobody can see any more so often, beside the commands; 0 = only by COMPACT. */
  readonly compactEverySeconds: number;
  /** Replies wait until what they tell is durable; writes always do. */
  readonly areReadsDurable: boolean;
  /** KPROFILE MEMORY DUMP writes into this directory or below it; empty = `profiles` in the store's directory. */
  readonly dumpDirectory: string;
  /** CHECKPOINT RESTORE and EXPORT write below this directory; empty = beside the store. */
  readonly restoreDirectory: string;
  /** What SHUTDOWN does; undefined = it is refused. */
  readonly onShutdown: (() => void) | undefined;
  /** Unexpected errors inside commands; the client is told only that there was one. */
  readonly onDefect: (error: unknown, command: string) => void;
}

export const defaultServerOptions: ServerOptions = {
  host: '127.0.0.1',
  port: 6666,
  password: '',
  isProtected: true,
  maxClients: 10_000,
  request: defaultRequestLimits,
  softOutputBytes: 16 * 1024 * 1024,
  hardOutputBytes: 1024 * 1024 * 1024,
  subscriberOutputBytes: 32 * 1024 * 1024,
  idleTimeoutSeconds: 0,
  slowLogMicroseconds: 100_000,
  slowLogLength: 128,
  namespacesFile: undefined,
  tls: undefined,
  expire: 'lazy',
  compactEverySeconds: 24 * 60 * 60,
  areReadsDurable: true,
  dumpDirectory: '',
  restoreDirectory: '',
  onShutdown: undefined,
  onDefect: () => undefined,
};

/** The options as they are now: some may change while the server runs (CONFIG SET). */
export type ServerSettings = { -readonly [Name in keyof ServerOptions]: ServerOptions[Name] };
