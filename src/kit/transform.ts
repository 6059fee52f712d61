import type { Change } from '../data-model/index.js';

/** What a transform function of yours is told beside the changes. */
export interface TransformContext {
  readonly pipeline: string;
  readonly sink: string;
  /** The `options` of the configuration. */
  readonly options: Readonly<Record<string, unknown>>;
  /** First and last sequence number of the transaction. */
  readonly first: number;
  readonly last: number;
}

/**
 * A function of yours between the source and a sink: the changes of one transaction become others, in the order in
 * which the sink is to see them. They stay one transaction, and are numbered anew. Byte strings borrow from the batch;
 * changes are not to be modified, but replaced. It is called again for the same transaction after a crash, so the
 * same input should give the same output. What it throws stops the sink's part of the pipeline.
 *
 * @example
 * // mask.mjs, used by `transforms: [{ use: { module: ./mask.mjs } }]`
 * /** @type {import('tailrace/kit').Transform} *\/
 * export default (changes) => changes.filter((change) => change.op !== 'publish');
 */
export type Transform = (
  changes: readonly Change[],
  context: TransformContext,
) => readonly Change[] | Promise<readonly Change[]>;
