/** Where the key and the value of an item lie. */
export interface ItemPlace {
  keyBytes: Buffer;
  keyStart: number;
  keyEnd: number;
  valueBytes: Buffer;
  valueStart: number;
  valueEnd: number;
}

/** An empty place, to be filled by whoever locates an item. */
export const nowhere = (): ItemPlace => ({
  keyBytes: noBytes,
  keyStart: 0,
  keyEnd: 0,
  valueBytes: noBytes,
  valueStart: 0,
  valueEnd: 0,
});

const noBytes = Buffer.alloc(0);
