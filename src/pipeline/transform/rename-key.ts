import type { Change } from '../../kit/index.js';
import { type ChangeStage, editStage } from './change-stage.js';
import { KeyPattern, KeyTemplate } from './key-pattern.js';

/** Gives keys that match a pattern another name, made of what the pattern captured. Others keep theirs. */
export const renameStage = (pattern: string, template: string): ChangeStage => {
  const keys = new KeyPattern(pattern);
  const name = new KeyTemplate(template, keys.captures);
  return editStage((change) => {
    if (!('key' in change) || change.op === 'propagate') return change;
    const captured = keys.capture(change.key);
    return captured === undefined ? change : withKey(change, name.fill(captured));
  });
};

/** The change as one of another key. */
export const withKey = (change: Extract<Change, { key: Uint8Array }>, key: Buffer): Change => {
  if (change.op !== 'streamMeta') return { ...change, key };
  let isReplaced = false;
  const command = change.command.map((word) => {
    if (isReplaced || typeof word === 'string' || !Buffer.from(change.key).equals(word)) return word;
    isReplaced = true;
    return key;
  });
  return { ...change, key, command };
};
