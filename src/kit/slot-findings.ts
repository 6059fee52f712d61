import type { Finding } from './finding.js';

/** A consumer for whom a store keeps its log. */
export interface SlotState {
  readonly name: string;
  /** Last sequence number that it has handled for good; the log is kept from there on. */
  readonly acknowledged: number;
}

/** The log of a store. */
export interface LogState {
  readonly firstSequence: number;
  readonly latestSequence: number;
  readonly bytes: number;
  /** Beyond this the oldest goes, whoever needs it. */
  readonly maxBytes: number;
}

/** Whose look it is. */
export interface SlotOwner {
  /** The slot of the pipeline. */
  readonly slot?: string | undefined;
  /** A new snapshot is taken where the log no longer reaches back. */
  readonly takesSnapshots?: boolean | undefined;
}

/**
 * What `tailrace doctor` tells of slots: which have lost changes, and which soon may, as they hold nearly all that may
 * be kept.
 */
export const slotFindings = (slots: readonly SlotState[], log: LogState, owner: SlotOwner): Finding[] => {
  const lost = slots.filter(({ acknowledged }) => acknowledged + 1 < log.firstSequence);
  const own = lost.filter(({ name }) => name === owner.slot);
  const others = lost.filter(({ name }) => name !== owner.slot);
  const findings: Finding[] = [];
  if (own.length > 0)
    findings.push({
      name: 'slot',
      status: owner.takesSnapshots === true ? 'warn' : 'fail',
      detail: lossOf(own, log),
      remedy:
        owner.takesSnapshots === true
          ? 'The next start takes a new snapshot; a larger --wal-max keeps more of the log.'
          : 'Begin anew with a snapshot (snapshot: when-needed, or tailrace migrate), and raise --wal-max of the source.',
    });
  if (others.length > 0)
    findings.push({
      name: 'slots',
      status: 'warn',
      detail: lossOf(others, log),
      remedy: 'Their consumers need a new snapshot; drop the slots of those that are gone (SLOT DROP).',
    });
  const held = slots
    .filter((slot) => !lost.includes(slot))
    .map(({ name, acknowledged }) => ({ name, bytes: heldFrom(acknowledged, log) }))
    .filter(({ bytes }) => bytes >= nearly * log.maxBytes);
  if (held.length > 0)
    findings.push({
      name: 'log size',
      status: 'warn',
      detail: `at most ${mebibytes(log.maxBytes)} of the log are kept, and ${someOf(held.map(({ name, bytes }) => `${name} needs about ${mebibytes(bytes)}`))}: what is beyond that is lost to it`,
      remedy:
        'Raise --wal-max, let the consumer catch up, or drop a slot whose consumer is gone (SLOT DROP).',
    });
  else if (slots.length > 0 && lost.length === 0)
    findings.push({
      name: 'slots',
      status: 'ok',
      detail: `the log has what they need: ${someOf(slots.map(({ name }) => name))}`,
    });
  return findings;
};

const lossOf = (lost: readonly SlotState[], { firstSequence }: LogState): string => {
  const named = someOf(lost.map(({ name, acknowledged }) => `${name} (has ${acknowledged})`));
  return `lost changes: ${named}; the log begins at sequence number ${firstSequence}`;
};

const someOf = (texts: readonly string[]): string =>
  texts.slice(0, mostNamed).join(', ') +
  (texts.length > mostNamed ? ` and ${texts.length - mostNamed} more` : '');

/** By its share of the sequence numbers: nobody counts bytes for each slot. */
const heldFrom = (acknowledged: number, { firstSequence, latestSequence, bytes }: LogState): number => {
  if (acknowledged >= latestSequence) return 0;
  const held = latestSequence - Math.max(acknowledged, firstSequence) + 1;
  return (bytes * held) / (latestSequence - firstSequence + 1);
};

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

const nearly = 0.75;
const mostNamed = 5;
