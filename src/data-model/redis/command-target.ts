import type { ByteWriter } from '../../resp/index.js';

/** The name of a Redis command, with its bytes as a RESP bulk string. */
export interface CommandName {
  readonly text: string;
  readonly bulk: Buffer;
}

export const commandName = (text: string): CommandName => ({
  text,
  bulk: Buffer.from(`$${text.length}\r\n${text}\r\n`),
});

/** Where commands are written: first the name and how many words the command has, then each word. */
export interface CommandTarget {
  start(name: CommandName, words: number): void;
  bytes(word: Uint8Array): void;
  /** A word that is a part of `source`. */
  slice(source: Buffer, start: number, end: number): void;
  text(word: string): void;
}

/** Of a writer that has not begun. */
export const nowhere: CommandTarget = {
  start: () => undefined,
  bytes: () => undefined,
  slice: () => undefined,
  text: () => undefined,
};

/** Appends the commands to a buffer as RESP, without anything in between. */
export class RespCommandTarget implements CommandTarget {
  readonly #out: ByteWriter;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  start(name: CommandName, words: number): void {
    this.#out.arrayHeader(words);
    this.#out.raw(name.bulk);
  }

  bytes(word: Uint8Array): void {
    this.#out.bulk(word);
  }

  slice(source: Buffer, start: number, end: number): void {
    this.#out.bulkSlice(source, start, end);
  }

  text(word: string): void {
    this.#out.bulkText(word);
  }
}

/** One command, word by word; byte strings borrow the batch's bytes. */
export type RedisCommand = readonly (string | Uint8Array)[];

/** Collects the commands as arrays of words. */
export class ArrayCommandTarget implements CommandTarget {
  readonly commands: (string | Uint8Array)[][] = [];
  #current: (string | Uint8Array)[] = [];

  start(name: CommandName): void {
    this.#current = [name.text];
    this.commands.push(this.#current);
  }

  bytes(word: Uint8Array): void {
    this.#current.push(word);
  }

  slice(source: Buffer, start: number, end: number): void {
    this.#current.push(source.subarray(start, end));
  }

  text(word: string): void {
    this.#current.push(word);
  }
}
