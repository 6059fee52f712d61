/** A table file as the MANIFEST names it. */
export interface TableFile {
  readonly number: number;
  readonly size: number;
  readonly level: number;
  /** User keys. */
  readonly smallest: Buffer;
  readonly largest: Buffer;
  /** `largest` is the end of a deleted range, itself not within the file. */
  readonly isLargestExclusive: boolean;
  readonly largestSequence: number;
  /** The oldest blob file that its entries name; undefined when they name none. */
  readonly oldestBlobFile: number | undefined;
}

export interface ColumnFamilyVersion {
  readonly id: number;
  readonly name: string;
  /** Log files with lower numbers hold nothing that is not in the tables. */
  readonly logNumber: number;
  /** The newest first; those of one level above 0 in order of their keys. */
  readonly files: readonly TableFile[];
  /** Numbers of the files that may hold values of its tables. */
  readonly blobFiles: readonly number[];
}

/** Which files make up a store at one moment. */
export interface StoreVersion {
  readonly manifest: string;
  /** Bytes of the MANIFEST that tell it: more of them, another version. */
  readonly manifestBytes: number;
  readonly families: readonly ColumnFamilyVersion[];
  /** Of the newest write when the MANIFEST was last written. */
  readonly lastSequence: number;
}

/** Keys from `begin` to `end` whose entries are older than `sequence` are gone. */
export interface DeletedRange {
  readonly begin: Buffer;
  readonly end: Buffer;
  readonly isEndIncluded: boolean;
  readonly sequence: number;
}
