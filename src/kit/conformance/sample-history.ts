import { Decoder, type Transaction, withChanges } from '../../data-model/index.js';
import { batchCount, WriteBatchBuilder } from '../../write-batch/index.js';
import { positionOf } from '../history.js';
import type { Position } from '../position.js';
import type { SinkBatch } from '../sink.js';
import type { SourceBatch } from '../source.js';

/** One key and its value, as a string of the default namespace. */
export interface SampleEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/**
 * Batches as a store writes them, for the conformance suites: each sets strings, so that what arrived can be compared
 * whatever the target is.
 */
export class SampleHistory {
  readonly batches: SourceBatch[] = [];
  readonly #entries: SampleEntry[][] = [];
  #nextSequence = 1;

  /** Appends a batch that sets these strings; returns it. */
  append(entries: readonly SampleEntry[]): SourceBatch {
    const batch = new WriteBatchBuilder();
    for (const { key, value } of entries)
      batch
        .logData(stringNote)
        .put(metadataFamily, Buffer.concat([namespace, key]), Buffer.concat([stringHeader, value]));
    return this.#add(batch, entries);
  }

  /** Appends a batch without any change that a sink would see. */
  appendEmpty(): SourceBatch {
    return this.#add(
      new WriteBatchBuilder().put(pubSubFamily, Buffer.from('channel'), Buffer.from('message')),
      [],
    );
  }

  /** Appends `count` batches of one to four strings each, over a few keys. */
  appendMany(count: number, prefix = 'key'): void {
    for (let i = 0; i < count; i++)
      this.append(
        Array.from({ length: 1 + (i % 4) }, (_, j) => ({
          key: Buffer.from(`${prefix}:${(i * 3 + j) % 11}`),
          value: Buffer.from(`${prefix}-${i}-${j}`),
        })),
      );
  }

  /** The strings that hold after the first `batches` batches, key in hexadecimal → value in hexadecimal. */
  stateAfter(batches: number): Map<string, string> {
    const state = new Map<string, string>();
    for (const entries of this.#entries.slice(0, batches))
      for (const { key, value } of entries) state.set(key.toString('hex'), value.toString('hex'));
    return state;
  }

  /** The batches from `from` up to, not including, `to` as one write. */
  sinkBatch(from: number, to: number): SinkBatch {
    const decoder = new Decoder();
    const transactions: Transaction[] = this.batches
      .slice(from, to)
      .map((batch) => withoutMessages(decoder.decode(batch.bytes)));
    return {
      transactions,
      position: this.positionAfter(to) as Position,
      previous: this.positionAfter(from),
      byteLength: transactions.reduce((total, { bytes }) => total + bytes.length, 0),
    };
  }

  positionAfter(batches: number): Position | null {
    const last = this.batches[batches - 1];
    return last === undefined ? null : positionOf(last);
  }

  #add(builder: WriteBatchBuilder, entries: readonly SampleEntry[]): SourceBatch {
    const bytes = Buffer.from(builder.finish(this.#nextSequence));
    const batch = { sequence: this.#nextSequence, count: batchCount(bytes), bytes };
    this.#nextSequence += batch.count;
    this.batches.push(batch);
    this.#entries.push([...entries]);
    return batch;
  }
}

/** Published messages are what a pipeline filters out for a data sink. */
const withoutMessages = (transaction: Transaction): Transaction =>
  withChanges(
    transaction,
    transaction.changes.filter(({ op }) => op !== 'publish'),
  );

const metadataFamily = 1;
const pubSubFamily = 3;
const namespace = Buffer.from('\x0b__namespace', 'latin1');
const stringNote = Buffer.from('1');
/** flags: current layout, string; no expiry. */
const stringHeader = Buffer.from([0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
