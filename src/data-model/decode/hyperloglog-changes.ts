import { denseEncoding, readSegmentNumber, segmentBytes } from '../encoding/hyperloglog-encoding.js';
import type { ChangeCollector } from './change-collector.js';
import { type GroupFailure, unsupported } from './group-failure.js';
import type { RecordGroup } from './record-group.js';

/** HyperLogLogs: sub-key = number of the segment as text, value = its registers. */
export const addHyperLogLogChanges = (group: RecordGroup, out: ChangeCollector): GroupFailure | undefined => {
  const { ns, key } = group;
  if (group.metadata !== undefined && (group.metadata.payload[0] ?? 0) !== denseEncoding)
    return unsupported('a HyperLogLog in another encoding than dense');
  if (group.count === 0 && !group.isExpire)
    out.add({
      seq: group.metadataSeq,
      index: out.next,
      ns,
      key,
      op: 'put',
      type: 'hyperloglog',
      segment: 0,
      value: noRegisters,
    });
  for (let at = 0; at < group.count; at++) {
    const segment = readSegmentNumber(group.subKeys[at]);
    const value = group.isPut[at] ? group.values[at] : emptySegment;
    if (segment === undefined || value.length !== segmentBytes)
      return unsupported('the record of a HyperLogLog is no segment of registers');
    out.add({
      seq: group.seqs[at],
      index: out.next,
      ns,
      key,
      op: 'put',
      type: 'hyperloglog',
      segment,
      value,
    });
  }
  return undefined;
};

const emptySegment = Buffer.alloc(segmentBytes);
const noRegisters = Buffer.alloc(0);
