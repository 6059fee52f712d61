import type { Change } from '../data-model/index.js';
import { type KeyPlace, keyAt } from './key-place.js';

/** A key as it was read: what makes it from nothing. */
export interface KeyImage {
  readonly place: KeyPlace;
  /** First a delete, where the value does not replace whatever stood there; of a key that is gone, that alone. */
  readonly changes: readonly Change[];
  /** Why there is no saying it in changes, if so; then these only delete what may stand there. */
  readonly unsupported: string | undefined;
  readonly byteLength: number;
}

export const wholeImage = (place: KeyPlace, changes: readonly Change[]): KeyImage => ({
  place,
  changes,
  unsupported: undefined,
  byteLength: place.length + byteLengthOf(changes),
});

export const goneImage = (place: KeyPlace): KeyImage => {
  const { ns, key } = keyAt(place);
  return wholeImage(place, [{ seq: 0, index: 0, ns, key, op: 'delete', type: 'key' }]);
};

export const unsupportedImage = (place: KeyPlace, reason: string): KeyImage => ({
  ...goneImage(place),
  unsupported: reason,
});

/** True for the image of a key that does not exist. */
export const isGone = ({ changes, unsupported }: KeyImage): boolean =>
  unsupported === undefined &&
  changes.length === 1 &&
  changes[0].op === 'delete' &&
  changes[0].type === 'key';

/** What the changes carry, roughly: for limits, rates and progress. */
const byteLengthOf = (changes: readonly Change[]): number => {
  let bytes = 0;
  for (const change of changes) {
    if ('value' in change && change.value !== undefined) bytes += change.value.length;
    if ('field' in change) bytes += change.field.length;
    else if ('member' in change) bytes += change.member.length + 8;
    else if ('fields' in change) for (const field of change.fields) bytes += field.length;
  }
  return bytes;
};
