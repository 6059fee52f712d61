import { orderedDoubleBytes, readOrderedDouble, writeOrderedDouble } from '../../bytes/index.js';

/**
 * Bloom filters are chains: when one filter is full the next, larger one takes what comes. Metadata adds
 * (big-endian)
 *
 *   0             2               4                   8                  16
 *   | filters u16 | expansion u16 | base capacity u32 | error rate (ordered double) | filter bytes u32 |
 *
 * where expansion 0 = a chain of one that never grows, and the last number is the sum over all filters. The
 * sub-key of a filter is its place in the chain as u16, its value the bits.
 */
export interface BloomChain {
  readonly filterCount: number;
  readonly expansion: number;
  readonly baseCapacity: number;
  readonly errorRate: number;
  readonly filterBytes: number;
}

const bloomChainBytes = 8 + orderedDoubleBytes + 4;

/** Undefined where the bytes are none. */
export const readBloomChain = (payload: Buffer): BloomChain | undefined => {
  if (payload.length < bloomChainBytes) return undefined;
  const chain = {
    filterCount: payload.readUInt16BE(0),
    expansion: payload.readUInt16BE(2),
    baseCapacity: payload.readUInt32BE(4),
    errorRate: readOrderedDouble(payload, 8),
    filterBytes: payload.readUInt32BE(16),
  };
  return chain.filterCount > 0 && chain.errorRate > 0 && chain.errorRate < 1 ? chain : undefined;
};

export const encodeBloomChain = (chain: BloomChain): Buffer => {
  const payload = Buffer.allocUnsafe(bloomChainBytes);
  payload.writeUInt16BE(chain.filterCount, 0);
  payload.writeUInt16BE(chain.expansion, 2);
  payload.writeUInt32BE(chain.baseCapacity, 4);
  writeOrderedDouble(payload, 8, chain.errorRate);
  payload.writeUInt32BE(chain.filterBytes, 16);
  return payload;
};

export const encodeFilterIndex = (index: number): Buffer => {
  const subKey = Buffer.allocUnsafe(2);
  subKey.writeUInt16BE(index, 0);
  return subKey;
};
