import type { SourceDefinition } from '../../src/kit/index.js';
import { KvrocksSource, type KvrocksSourceOptions } from './kvrocks-source.js';

export { KvrocksSource, type KvrocksSourceOptions } from './kvrocks-source.js';

/** How a pipeline begins with the keys that are there; carried out by whoever runs it. */
export interface KvrocksSnapshotOptions {
  readonly snapshot: 'never' | 'initial' | 'when-needed' | 'only';
  readonly snapshotState: string;
  /** Name of a checkpoint of a tailrace, `@new` = one that is made for it, empty = keys as they are. */
  readonly snapshotCheckpoint: string;
}

/** The source `kvrocks`, as pipeline files name it. */
export const kvrocksSource: SourceDefinition<
  KvrocksSourceOptions & KvrocksSnapshotOptions & { readonly slot: string }
> = {
  name: 'kvrocks',
  summary: 'an Apache Kvrocks 2.10 or later, or tailrace serve, by POLLUPDATES',
  schema: {
    url: {
      doc: 'redis://[user:password@]host:port, or rediss:// for TLS',
      format: 'redis-url',
      default: '',
    },
    password: { doc: 'password, if it is not in the URL', format: String, default: '', sensitive: true },
    pollBatches: {
      doc: 'batches a poll asks for while behind, 2 to 1000',
      format: 'positive-integer',
      default: 1000,
    },
    idlePollMs: {
      doc: 'longest pause between polls at the tip, in ms',
      format: 'timeout',
      default: 50,
    },
    answerTimeoutMs: {
      doc: 'how long the server may be silent while it owes an answer, before the connection counts as lost, in ms',
      format: 'timeout',
      default: 30_000,
    },
    slot: {
      doc: "name of the slot for which a tailrace keeps its log; empty = the pipeline's name, - = none",
      format: String,
      default: '',
    },
    snapshot: {
      doc: 'whether sinks are first given all keys: initial = those without a position; when-needed = also again when the log no longer reaches back; only = then end',
      format: ['never', 'initial', 'when-needed', 'only'],
      default: 'never',
    },
    snapshotState: {
      doc: 'folder of the state of snapshots, which go on after any end',
      format: String,
      default: 'tailrace-snapshots',
    },
    snapshotCheckpoint: {
      doc: 'of which checkpoint of a tailrace a snapshot reads the keys: its name, or @new = one that is made for it; empty = keys as they are by then',
      format: String,
      default: '',
    },
    giveUpAfterMs: {
      doc: 'how long a lost connection is tried again, in ms; 0 = for ever',
      format: 'whole-number',
      default: 0,
    },
  },
  create: (options, context) => {
    const slot = slotName(options.slot, context.pipeline);
    const takesSnapshots = options.snapshot === 'when-needed';
    return new KvrocksSource({ ...options, slot, takesSnapshots }, context);
  },
};

/** Names of slots have no spaces. */
const slotName = (given: string, pipeline: string): string | undefined =>
  given === '-' ? undefined : given || pipeline.replace(/[^\x21-\x7e]/g, '-');
