import { bitmapFragmentBytes, readFragmentOffset, reverseBits } from '../encoding/bitmap-encoding.js';
import { LogCommand } from '../encoding/log-data.js';
import type { ChangeCollector } from './change-collector.js';
import { ambiguous, type GroupFailure, unsupported } from './group-failure.js';
import type { KnownKey } from './key-memory.js';
import type { RecordGroup } from './record-group.js';

/**
 * Bitmaps: each fragment that is put is written as a whole. A fragment's bytes may reach beyond the bitmap's
 * end (Kvrocks doubles them as it grows), so that they are cut at `size`. Where neither metadata nor memory
 * tells the size, the zeros at the fragment's end that the command did not touch are left alone: they were
 * zero before.
 */
export const addBitmapChanges = (
  group: RecordGroup,
  known: KnownKey | undefined,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const { ns, key, metadata } = group;
  const size = metadata?.size ?? known?.size;
  let writtenEnd = 0;
  for (let at = 0; at < group.count; at++) {
    const offset = readFragmentOffset(group.subKeys[at]);
    if (offset === undefined || group.values[at].length > bitmapFragmentBytes)
      return unsupported('the record of a bitmap is no fragment');
    const fragment = group.isPut[at] ? group.values[at] : noBytes;
    const end = size === undefined ? endOfKnownBytes(group, offset, fragment) : Math.max(0, size - offset);
    if (end === undefined)
      return ambiguous(
        'the zeros at the end of a bitmap’s fragment may lie behind its end, which is not known',
      );
    const length = group.isPut[at] ? Math.min(fragment.length, end) : Math.min(bitmapFragmentBytes, end);
    const value = group.isPut[at] ? reverseBits(fragment.subarray(0, length)) : Buffer.alloc(length);
    writtenEnd = Math.max(writtenEnd, offset + length);
    const isLast = at === group.count - 1;
    out.add({
      seq: group.seqs[at],
      index: out.next,
      ns,
      key,
      op: 'put',
      type: 'bitmap',
      offset,
      value,
      size: isLast && metadata !== undefined && metadata.size > writtenEnd ? metadata.size : undefined,
    });
  }
  if (group.count === 0 && !group.isExpire && metadata !== undefined && metadata.size !== known?.size)
    out.add({
      seq: group.metadataSeq,
      index: out.next,
      ns,
      key,
      op: 'put',
      type: 'bitmap',
      offset: 0,
      value: noBytes,
      size: metadata.size,
    });
  return undefined;
};

/** True when the fragments put cover the whole bitmap, or the command always writes all of it. */
export const holdsWholeBitmap = (group: RecordGroup): boolean => {
  const { metadata } = group;
  if (metadata === undefined || !group.hasOnlyPuts) return false;
  if (group.isMetadataFirst || group.command === LogCommand.bitop) return true;
  let covered = 0;
  for (let at = 0; at < group.count; at++) {
    if (readFragmentOffset(group.subKeys[at]) !== covered) return false;
    covered += bitmapFragmentBytes;
  }
  return covered >= metadata.size;
};

/** How many of the fragment's bytes surely lie within the bitmap and hold all that the command changed. */
const endOfKnownBytes = (group: RecordGroup, offset: number, fragment: Buffer): number | undefined => {
  let end = fragment.length;
  while (end > 0 && fragment[end - 1] === 0) end--;
  if (end === fragment.length) return end;
  const touched = touchedEnd(group);
  return touched === undefined ? undefined : Math.max(end, Math.min(fragment.length, touched - offset));
};

/** The byte behind the last one that the command touched, from its LogData. */
const touchedEnd = (group: RecordGroup): number | undefined => {
  const words = group.hint?.words ?? [];
  if (group.command === LogCommand.setbit) {
    const bit = Number(words[1]);
    return Number.isSafeInteger(bit) ? Math.floor(bit / 8) + 1 : undefined;
  }
  if (group.command !== LogCommand.bitfield) return undefined;
  let end: number | undefined;
  for (let at = 1; at < words.length; at++) {
    const [operation, type, where] = [words[at].toLowerCase(), words[at + 1] ?? '', words[at + 2] ?? ''];
    if (operation !== 'set' && operation !== 'incrby') continue;
    const bits = Number(type.slice(1));
    const start = where.startsWith('#') ? Number(where.slice(1)) * bits : Number(where);
    if (!Number.isSafeInteger(start + bits)) return undefined;
    end = Math.max(end ?? 0, Math.ceil((start + bits) / 8));
  }
  return end;
};

const noBytes = Buffer.alloc(0);
