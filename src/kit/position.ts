/**
 * The place of a consumer in a source's history: the last batch with counted records that it has fully handled.
 * `count` and `crc` (CRC-32C of the serialized batch) are the batch's fingerprint: equal sequence numbers can
 * name different batches after a failover, equal fingerprints cannot in practice.
 */
export interface Position {
  /** Last sequence number of the batch. */
  readonly sequence: number;
  readonly count: number;
  readonly crc: number;
}

/** Where a source starts. `after` with a position that the source's history lacks is an error, never a guess. */
export type StartPoint =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'after'; readonly position: Position };
