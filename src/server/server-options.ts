import type { RequestLimits } from '../resp/index.js';
import { defaultRequestLimits } from '../resp/index.js';

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
  /** Replies wait until what they tell is durable; writes always do. */
  readonly areReadsDurable: boolean;
  /** KPROFILE MEMORY DUMP writes into this directory or below it; empty = `profiles` in the store's directory. */
  readonly dumpDirectory: string;
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
  areReadsDurable: true,
  dumpDirectory: '',
  onDefect: () => undefined,
};
