import type { Parameter, Step } from './exchange.js';
import { FieldBytes, type FieldWriter } from './field-bytes.js';
import { quoted } from './identifier.js';
import type { Column } from './table-schema.js';

/**
 * Rows as the parameters of a statement, an array for each column, which the statement unnests:
 *
 *   INSERT … SELECT … FROM unnest($1::text[], $2::bytea[] …) AS s (ns, key …)
 *
 * That is less work for the server than a temporary table that is copied to and read again. Very many bytes become
 * several statements: the server takes less than 1 GiB in a message. Hot; measured by bench `postgres-sink`.
 */
export class ArrayRows implements FieldWriter {
  /** What stands in FROM of the statement, under the alias `s`. */
  readonly from: string;
  count = 0;
  readonly #columns: readonly Column[];
  readonly #parts: ArrayBytes[][] = [];
  #arrays: readonly ArrayBytes[] = [];
  #at = 0;
  #partBytes = Number.POSITIVE_INFINITY;

  constructor(columns: readonly Column[]) {
    this.#columns = columns;
    const arrays = columns.map(({ type }, at) => `$${at + 1}::${type}[]`);
    this.from = `unnest(${arrays.join(', ')}) AS s (${columns.map(({ name }) => quoted(name)).join(', ')})`;
  }

  /** Begins a row; its fields are then written in the order of the columns. */
  start(): FieldWriter {
    if (this.#partBytes > maxPartBytes) this.#startPart();
    this.count++;
    this.#at = 0;
    return this;
  }

  /** The statement with these rows. Nothing may be written any more. */
  steps(statement: string): readonly Step[] {
    return this.#parts.map((arrays) => ({ statement, parameters: arrays.map((array) => array.take()) }));
  }

  /** The statement without rows, which shows whether the server would take it. */
  emptyStep(statement: string): Step {
    return { statement, parameters: this.#columns.map(({ type }) => new ArrayBytes(type).take()) };
  }

  /** For a statement whose rows are awaited: the values of each time that it is to be carried out. */
  values(): readonly (readonly Buffer[])[] {
    return this.#parts.map((arrays) => arrays.map((array) => array.bytes()));
  }

  null(): void {
    this.#arrays[this.#at++].null();
  }

  bool(value: boolean): void {
    this.#next().bool(value);
  }

  int4(value: number): void {
    this.#next().int4(value);
  }

  int8(value: number): void {
    this.#next().int8(value);
  }

  float8(value: number): void {
    this.#next().float8(value);
  }

  timestamp(ms: number): void {
    this.#next().timestamp(ms);
  }

  text(value: string): void {
    this.#partBytes += value.length;
    this.#next().text(value);
  }

  bytes(value: Uint8Array): void {
    this.#partBytes += value.length;
    this.#next().bytes(value);
  }

  jsonb(text: string | Uint8Array): void {
    this.#partBytes += text.length;
    this.#next().jsonb(text);
  }

  #next(): FieldBytes {
    return this.#arrays[this.#at++].element();
  }

  #startPart(): void {
    const arrays = this.#columns.map(({ type }) => new ArrayBytes(type));
    this.#arrays = arrays;
    this.#parts.push(arrays);
    this.#partBytes = 0;
  }
}

/**
 * An array of one dimension as a parameter:
 *
 *   | length of what follows i32 | dimensions i32 | has NULLs i32 | type i32 | elements i32 | lower bound i32 = 1 | fields …
 *
 * One without elements has no dimensions and ends with the type. So does one of nothing but NULLs: unnesting fills up
 * what is shorter than the other arrays with them.
 */
class ArrayBytes {
  readonly #type: number;
  readonly #elements = new FieldBytes();
  #count = 0;
  #isEmpty = true;

  constructor(type: string) {
    const known = elementTypes.get(type);
    if (known === undefined) throw new Error(`${type} has no place among the types of arrays`);
    this.#type = known;
  }

  element(): FieldBytes {
    this.#count++;
    this.#isEmpty = false;
    return this.#elements;
  }

  null(): void {
    this.#count++;
    this.#elements.null();
  }

  /** Without the length before it. */
  bytes(): Buffer {
    return Buffer.concat(this.take().blocks).subarray(4);
  }

  take(): Parameter {
    const words = this.#isEmpty ? [0, 0, this.#type] : [1, 1, this.#type, this.#count, 1];
    const elements = this.#isEmpty ? [] : this.#elements.take();
    const length = words.length * 4 + (this.#isEmpty ? 0 : this.#elements.byteLength);
    const head = Buffer.allocUnsafe(4 + words.length * 4);
    for (const [at, word] of [length, ...words].entries()) head.writeInt32BE(word, at * 4);
    return { byteLength: 4 + length, blocks: [head, ...elements] };
  }
}

/** The numbers of types in the server's pg_type. */
const elementTypes: ReadonlyMap<string, number> = new Map([
  ['boolean', 16],
  ['bytea', 17],
  ['bigint', 20],
  ['integer', 23],
  ['text', 25],
  ['double precision', 701],
  ['timestamp with time zone', 1184],
  ['jsonb', 3802],
]);

const maxPartBytes = 64 * 1024 * 1024;
