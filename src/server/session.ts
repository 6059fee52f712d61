import { CommandContext } from '../data-model/commands/index.js';
import { defaultNamespace } from '../data-model/index.js';
import type { Snapshot } from '../engine/index.js';
import { type RequestLimits, unauthenticatedRequestLimits } from '../resp/index.js';
import type { ServerState } from './server-state.js';

export interface SessionEvents {
  /** The client is about to leave its namespace for another. */
  onLeave(): void;
  /** From now on the client may send this much. */
  onLimits(limits: RequestLimits): void;
}

/** As whom a client is known, in which namespace, and what its commands read: the newest data or a checkpoint. */
export class Session {
  readonly #state: ServerState;
  readonly #events: SessionEvents;
  #isAuthenticated = false;
  #token: string | undefined;
  /** The administrator, reading the newest data: what nearly every session is. */
  #mayAll = false;
  #checkpoint: Snapshot | undefined;
  #context: CommandContext;

  constructor(state: ServerState, events: SessionEvents) {
    this.#state = state;
    this.#events = events;
    this.#context = this.#contextOf(defaultNamespace);
    this.logout();
  }

  /** Whoever has not shown the password or a token may send only what it takes to do so. */
  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  /** The token by which the client came into its namespace; undefined for the administrator. */
  get token(): string | undefined {
    return this.#token;
  }

  get isAdmin(): boolean {
    return this.#isAuthenticated && this.#token === undefined;
  }

  /** True when there is nothing that it may not do. Hot: asked before each command. */
  get mayAll(): boolean {
    return this.#mayAll;
  }

  /** What its data commands run on. */
  get context(): CommandContext {
    return this.#context;
  }

  /** Lets the client into a namespace; without a token, into the default one as its administrator. */
  login(namespace = defaultNamespace, token?: string): void {
    this.#isAuthenticated = true;
    this.#token = token;
    this.#events.onLimits(this.#state.options.request);
    this.#weigh();
    if (namespace === this.#context.namespace) return;
    this.#events.onLeave();
    this.#context = this.#contextOf(namespace);
  }

  /** As it was at the start. */
  logout(): void {
    if (this.#checkpoint !== undefined) this.readAt(undefined);
    this.login();
    this.#isAuthenticated = this.#state.options.password === '';
    this.#weigh();
    if (!this.#isAuthenticated) this.#events.onLimits(unauthenticatedRequestLimits);
  }

  /** The checkpoint that its commands read instead of the newest data. */
  get checkpoint(): Snapshot | undefined {
    return this.#checkpoint;
  }

  /** Reads a checkpoint from now on, which is the session's to close; undefined: the newest data again. */
  readAt(checkpoint: Snapshot | undefined): void {
    this.#checkpoint?.close();
    this.#checkpoint = checkpoint;
    this.#weigh();
    this.#context = this.#contextOf(this.#context.namespace);
  }

  close(): void {
    this.#checkpoint?.close();
  }

  #weigh(): void {
    this.#mayAll = this.isAdmin && this.#checkpoint === undefined;
  }

  #contextOf(namespace: string): CommandContext {
    return new CommandContext(this.#checkpoint ?? this.#state.store, this.#state.services, namespace);
  }
}
