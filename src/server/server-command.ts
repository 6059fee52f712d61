import type { KeyPositions, Subcommands } from '../data-model/commands/index.js';
import type { Connection } from './connection.js';

/** A command of the server itself: it writes its reply to the connection. */
export interface ServerCommand {
  /** Lower case. */
  readonly name: string;
  /** Number of arguments, the name included; negative: at least that many. */
  readonly arity: number;
  readonly subcommands?: Subcommands | undefined;
  readonly flags: readonly string[];
  readonly keys?: KeyPositions;
  /** What to answer to a wrong number of arguments, where it is not the usual text. */
  readonly arityError?: string;
  /** Runs before the client has authenticated. */
  readonly isOpen?: boolean;
  /** Carried out at once inside MULTI instead of being queued. */
  readonly isTransactional?: boolean;
  /** Why it is refused whenever it is called: inside MULTI already when it is to be queued. */
  readonly refusal?: string;
  /** Refused inside MULTI. */
  readonly isRefusedInMulti?: boolean;
  /** Allowed to a client that has subscribed, in RESP2. */
  readonly isForSubscribers?: boolean;
  /** Refused to the tokens of namespaces. */
  readonly isAdmin?: boolean;
  run(connection: Connection, args: readonly Buffer[]): void;
}
