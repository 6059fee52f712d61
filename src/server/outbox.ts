import type { Socket } from 'node:net';
import { giveBackLargeMemory, largeMemoryBytes } from '../resp/index.js';
import type { Departures } from './departures.js';

/**
 * Replies on their way out, in order: each leaves when what it tells of is durable. Whether a client takes them is
 * the socket's matter; `unsentBytes` counts both.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #departures: Departures;
  readonly #onSent: () => void;
  #waiting: { readonly bytes: Buffer; readonly sequence: number }[] = [];
  #waitingBytes = 0;
  #isDeparting = false;

  /** `onSent` is called when replies that had to wait have left. */
  constructor(socket: Socket, departures: Departures, onSent: () => void) {
    this.#socket = socket;
    this.#departures = departures;
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
    if (this.isEmpty && sequence <= this.#departures.durableSequence) {
      this.#write(bytes);
      return;
    }
    this.#waiting.push({ bytes, sequence });
    this.#waitingBytes += bytes.length;
    if (this.#isDeparting) return;
    this.#isDeparting = true;
    this.#departures.add(this);
  }

  /** What the first reply tells of; there is one while this outbox waits to depart. */
  get firstSequence(): number {
    return this.#waiting[0].sequence;
  }

  /** Sends the replies that tell of nothing behind `durable`. True when none is left. */
  depart(durable: number): boolean {
    let sent = 0;
    while (sent < this.#waiting.length && this.#waiting[sent].sequence <= durable) {
      const { bytes } = this.#waiting[sent++];
      this.#waitingBytes -= bytes.length;
      this.#write(bytes);
    }
    if (sent < this.#waiting.length) {
      this.#waiting.splice(0, sent);
      return false;
    }
    this.#waiting.length = 0;
    this.#isDeparting = false;
    this.#onSent();
    return true;
  }

  #write(bytes: Buffer): void {
    if (bytes.length < largeMemoryBytes) this.#socket.write(bytes);
    else
      this.#socket.write(bytes, (error) => {
        if (error == null) giveBackLargeMemory(bytes);
      });
  }

  /** A write whose durability is unknown is never answered: a failed store closes the connection. */
  fail(): void {
    this.#socket.destroy();
  }
}
