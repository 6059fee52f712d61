import type { Socket } from 'node:net';
import type { Store } from '../engine/index.js';

/**
 * Replies on their way out, in order: each leaves when what it tells of is durable. Whether a client takes them is
 * the socket's matter; `unsentBytes` counts both.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #store: Store;
  readonly #onSent: () => void;
  #waiting: { readonly bytes: Buffer; readonly sequence: number }[] = [];
  #waitingBytes = 0;
  #isSending = false;

  /** `onSent` is called when replies that had to wait have left. */
  constructor(socket: Socket, store: Store, onSent: () => void) {
    this.#socket = socket;
    this.#store = store;
    this.#onSent = onSent;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get unsentBytes(): number {
    return this.#waitingBytes + this.#socket.writableLength;
  }

  /** Takes over bytes that tell of writes up to `sequence`. */
  push(bytes: Buffer, sequence: number): void {
    if (this.isEmpty && sequence <= this.#store.durableSequence) {
      this.#socket.write(bytes);
      return;
    }
    this.#waiting.push({ bytes, sequence });
    this.#waitingBytes += bytes.length;
    // A write whose durability is unknown is never answered: a failed store closes the connection.
    if (!this.#isSending) this.#send().catch(() => this.#socket.destroy());
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      await this.#store.whenDurable(this.#waiting[0].sequence);
      const durable = this.#store.durableSequence;
      let sent = 0;
      while (sent < this.#waiting.length && this.#waiting[sent].sequence <= durable) {
        const { bytes } = this.#waiting[sent++];
        this.#waitingBytes -= bytes.length;
        this.#socket.write(bytes);
      }
      this.#waiting.splice(0, sent);
    }
    this.#isSending = false;
    this.#onSent();
  }
}
