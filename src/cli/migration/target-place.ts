import type { Logger, Sink } from '../../kit/index.js';
import type { RecordFilter } from '../../migration/index.js';
import type { RespAddress } from '../../resp/index.js';
import type { ExistingKeys } from './existing-keys.js';
import type { NamespaceTargets } from './flags.js';

export interface TargetPlace extends AsyncDisposable {
  /** Without secrets. */
  readonly name: string;
  readonly sink: Sink;
  /** True when the target keeps the sequence numbers of changes. */
  readonly keepsNumbers: boolean;
  /** True empties the target with the first step. */
  readonly clears: boolean;
  /** Set where records are copied as they are: which of them the target takes. */
  readonly filter?: RecordFilter;
  /** Looks at what the target holds before anything is written; the names of keys that are to be left alone. */
  prepare(signal: AbortSignal): Promise<readonly string[]>;
}

export interface TargetOptions {
  readonly url: string;
  readonly password: string;
  /** Name of the migration: positions in the target are kept under it. */
  readonly name: string;
  /** Where the keys of each namespace go. */
  readonly namespaces: NamespaceTargets;
  readonly existing: ExistingKeys;
  /** `name=value`, for a target that has settings. */
  readonly settings: readonly string[];
  /** What the source calls its run, so that it is not taken for its own target. */
  readonly sourceRunId?: string | undefined;
  /** For a source that does not say so: a Kvrocks. Another password may show another namespace. */
  readonly sourceAddress?: RespAddress | undefined;
  /** Namespaces that keep their names, where records could be copied as they are; undefined where they could not. */
  readonly rawNamespaces: readonly string[] | undefined;
  readonly logger: Logger;
}

/** The key in a Redis target under which a migration keeps its position. */
export const positionKeyOf = (name: string): string => `tailrace:${name}:position`;
