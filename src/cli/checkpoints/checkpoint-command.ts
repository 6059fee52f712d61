import { resolve } from 'node:path';
import process from 'node:process';
import {
  applyCheckpointExport,
  type Checkpoint,
  type CheckpointExported,
  type CheckpointInfo,
} from '../../engine/index.js';
import { isTailraceError } from '../../errors/index.js';
import type { CheckpointAnswer } from '../../server/index.js';
import { formatBytes, formatCount, formatTable, type OutputOptions } from '../console.js';
import { isUrl, requestCheckpoints } from './checkpoint-target.js';

export interface CheckpointFlags {
  readonly name?: string;
  readonly lifetime?: string;
  readonly never?: boolean;
  readonly unique?: boolean;
  readonly replace?: boolean;
  readonly holdLog?: boolean;
  readonly source?: string;
  readonly label?: readonly string[];
  readonly advance?: boolean;
  readonly state?: string;
  readonly ifExists?: boolean;
  readonly to?: string;
  readonly base?: string;
  readonly password?: string;
}

/** Carries out one of the checkpoint commands and prints what came of it. */
export const checkpointCommand = async (
  action: string,
  store: string,
  reference: string | undefined,
  flags: CheckpointFlags,
  output: OutputOptions,
): Promise<void> => {
  // Whoever names a directory means places on this machine, from where they stand; a server has its own.
  const isHere = flags.to !== undefined && !isUrl(store);
  const words = wordsOf(action, reference, isHere ? { ...flags, to: resolve(flags.to) } : flags);
  let answer: CheckpointAnswer;
  try {
    answer = await requestCheckpoints(store, words, flags.password);
  } catch (error) {
    if (!flags.ifExists || !isTailraceError(error, 'CHECKPOINT_NOT_FOUND')) throw error;
    process.stdout.write(output.isJson ? 'null\n' : `there is no checkpoint ${reference}\n`);
    return;
  }
  process.stdout.write(`${output.isJson ? JSON.stringify(answer) : textOf(action, answer)}\n`);
};

/** The words of the RESP command. */
const wordsOf = (action: string, reference: string | undefined, flags: CheckpointFlags): string[] => {
  const words = [action.toUpperCase(), ...(reference === undefined ? [] : [reference])];
  const add = (word: string, value: string | undefined): void => {
    if (value !== undefined) words.push(word, value);
  };
  const addIf = (word: string, isWanted: boolean | undefined): void => {
    if (isWanted) words.push(word);
  };
  add('NAME', flags.name);
  add('LIFETIME', flags.lifetime);
  add('SOURCE', flags.source);
  add('STATE', flags.state);
  addIf('NEVER', flags.never);
  addIf('UNIQUE', flags.unique);
  addIf('REPLACE', flags.replace);
  addIf('HOLDLOG', flags.holdLog);
  addIf('ADVANCE', flags.advance);
  for (const label of flags.label ?? []) {
    const [key, ...rest] = label.split('=');
    words.push('LABEL', key, rest.join('='));
  }
  if (flags.to !== undefined) words.push(flags.to);
  add('BASE', flags.base);
  return words;
};

const textOf = (action: string, answer: CheckpointAnswer): string => {
  if (isList(answer)) return answer.length === 0 ? 'there are no checkpoints' : tableOf(answer);
  if ('storeId' in answer)
    return `made a store in ${answer.directory}: ${formatBytes(answer.bytes)}, up to sequence number ${answer.sequence}`;
  if ('file' in answer) return exportText(answer);
  if (action === 'show') return detailsOf(answer);
  const done = { create: 'created', refresh: 'refreshed', delete: 'deleted' }[action] ?? action;
  return `${done} checkpoint ${answer.id}${answer.name === null ? '' : ` (${answer.name})`} at sequence number ${answer.sequence}, ${expiryOf(answer)}`;
};

const exportText = ({ file, bytes, sequence, baseSequence }: CheckpointExported): string => {
  const what = baseSequence === null ? 'everything' : `what changed since sequence number ${baseSequence}`;
  return `wrote ${file}: ${formatBytes(bytes)}, ${what} up to sequence number ${sequence}`;
};

/** Makes a store of an exported file, or brings the store of its base forward. */
export const applyExport = async (directory: string, file: string, output: OutputOptions): Promise<void> => {
  const applied = await applyCheckpointExport(directory, file);
  const { sequence, bytes } = applied;
  const text = `applied ${file} to ${directory}: ${formatBytes(bytes)}, now at sequence number ${sequence}`;
  process.stdout.write(`${output.isJson ? JSON.stringify(applied) : text}\n`);
};

// A type guard of its own: Array.isArray knows no readonly arrays.
const isList = (answer: CheckpointAnswer): answer is readonly CheckpointInfo[] => Array.isArray(answer);

const expiryOf = ({ expires }: Checkpoint): string =>
  expires === null ? 'never expires' : `expires at ${expires}`;

const tableOf = (checkpoints: readonly CheckpointInfo[]): string =>
  formatTable(
    ['ID', 'NAME', 'SEQUENCE', 'CREATED', 'EXPIRES', 'SIZE', 'UNIQUE', 'BY'],
    checkpoints.map((checkpoint) => [
      checkpoint.id,
      checkpoint.name ?? '-',
      checkpoint.sequence,
      checkpoint.created,
      checkpoint.state === 'expired' ? 'expired' : (checkpoint.expires ?? 'never'),
      sizeOf(checkpoint.bytes),
      sizeOf(checkpoint.uniqueBytes),
      checkpoint.creator,
    ]),
  );

const sizeOf = (bytes: number | null): string => (bytes === null ? 'in the log' : formatBytes(bytes));

const detailsOf = (checkpoint: Checkpoint | CheckpointInfo): string => {
  const rows: (readonly [string, string])[] = [
    ['id', checkpoint.id],
    ['name', checkpoint.name ?? '-'],
    ['sequence', String(checkpoint.sequence)],
    ['created', `${checkpoint.created} by ${checkpoint.creator}`],
    ['expires', checkpoint.expires ?? 'never'],
    ['generation', String(checkpoint.generation)],
    ['holds the log', checkpoint.holdsLog ? 'yes' : 'no'],
  ];
  for (const [key, value] of Object.entries(checkpoint.labels)) rows.push([`label ${key}`, value]);
  if ('state' in checkpoint) {
    rows.push(['state', checkpoint.state], ['size', sizeOf(checkpoint.bytes)]);
    rows.push(['unique', sizeOf(checkpoint.uniqueBytes)]);
    if (checkpoint.entries !== null) rows.push(['entries', formatCount(checkpoint.entries)]);
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
};
