import type {
  Checkpoint,
  CheckpointCreateOptions,
  CheckpointExported,
  CheckpointInfo,
  CheckpointListFilter,
  CheckpointRefreshOptions,
  Checkpoints,
  Restored,
} from '../engine/index.js';
import { TailraceError } from '../errors/index.js';

/** What a request about checkpoints is answered with; goes over the wire as JSON. */
export type CheckpointAnswer =
  | Checkpoint
  | CheckpointInfo
  | readonly CheckpointInfo[]
  | Restored
  | CheckpointExported;

/** Where and for whom requests are carried out. */
export interface CheckpointScope {
  readonly checkpoints: Checkpoints;
  /** Noted in the checkpoints that are made. */
  readonly creator: string;
  /** The path that RESTORE and EXPORT may make for what a client asked for. @throws TailraceError when it may not */
  targetPath(wanted: string): string;
}

/** How the words of a request go on, for messages and help. */
const checkpointSyntax = [
  'CREATE [NAME name] [LIFETIME time] [UNIQUE|REPLACE] [HOLDLOG] [SOURCE ref] [LABEL key value …]',
  'REFRESH ref [LIFETIME time|NEVER] [ADVANCE]',
  'LIST [NAME name] [STATE live|expired] [LABEL key value …]',
  'SHOW ref',
  'DELETE ref',
  'RESTORE ref directory',
  'EXPORT ref file [BASE ref]',
  'OPEN ref',
  'CLOSE',
] as const;

/**
 * Carries out a request about checkpoints, by the words of the RESP command CHECKPOINT; the command line uses the same.
 * A checkpoint is named by its id, the first 4 or more characters of it, its name, or `@latest`. Times are such as
 * `90s`, `30m`, `12h`, `7d`; a number alone is seconds.
 * @throws TailraceError `USAGE`, and what `Checkpoints` throws
 */
export const runCheckpointRequest = async (
  { checkpoints, creator, targetPath }: CheckpointScope,
  words: readonly string[],
): Promise<CheckpointAnswer> => {
  const reader = new Words(words);
  const action = reader.next('an action').toLowerCase();
  switch (action) {
    case 'create':
      return checkpoints.create({ creator, ...readCreate(reader) });
    case 'refresh':
      return checkpoints.refresh(reader.next('a checkpoint'), readRefresh(reader));
    case 'list':
      return checkpoints.list(readFilter(reader));
    case 'show':
      return checkpoints.show(reader.last('a checkpoint'));
    case 'delete':
      return checkpoints.delete(reader.last('a checkpoint'));
    case 'restore': {
      const reference = reader.next('a checkpoint');
      return checkpoints.restore(reference, targetPath(reader.last('a directory')));
    }
    case 'export': {
      const reference = reader.next('a checkpoint');
      const file = targetPath(reader.next('a file'));
      return checkpoints.export(reference, file, readExport(reader));
    }
    default:
      throw usage(`${action} is no action`);
  }
};

const readCreate = (reader: Words): CheckpointCreateOptions => {
  let options: CheckpointCreateOptions = {};
  while (!reader.isAtEnd) {
    const word = reader.next('an option');
    switch (word.toLowerCase()) {
      case 'name':
        options = { ...options, name: reader.next('a name') };
        break;
      case 'lifetime':
        options = { ...options, lifetimeMs: parseLifetime(reader.next('a time')) };
        break;
      case 'unique':
        options = { ...options, ifNameExists: 'refuse' };
        break;
      case 'replace':
        options = { ...options, ifNameExists: 'replace' };
        break;
      case 'holdlog':
        options = { ...options, holdsLog: true };
        break;
      case 'source':
        options = { ...options, source: reader.next('a checkpoint') };
        break;
      case 'label': {
        const key = reader.next('a key');
        options = { ...options, labels: { ...options.labels, [key]: reader.next('a value') } };
        break;
      }
      default:
        throw usage(`${word} is no option of CREATE`);
    }
  }
  return options;
};

const readRefresh = (reader: Words): CheckpointRefreshOptions => {
  let options: CheckpointRefreshOptions = {};
  while (!reader.isAtEnd) {
    const word = reader.next('an option');
    switch (word.toLowerCase()) {
      case 'lifetime':
        options = { ...options, lifetimeMs: parseLifetime(reader.next('a time')) };
        break;
      case 'never':
        options = { ...options, lifetimeMs: null };
        break;
      case 'advance':
        options = { ...options, isAdvanced: true };
        break;
      default:
        throw usage(`${word} is no option of REFRESH`);
    }
  }
  return options;
};

const readFilter = (reader: Words): CheckpointListFilter => {
  let filter: CheckpointListFilter = {};
  while (!reader.isAtEnd) {
    const word = reader.next('an option');
    const value = reader.next(`a value for ${word}`);
    const isState = word.toLowerCase() === 'state';
    if (word.toLowerCase() === 'name') filter = { ...filter, name: value };
    else if (word.toLowerCase() === 'label')
      filter = { ...filter, labels: { ...filter.labels, [value]: reader.next('a value') } };
    else if (isState && (value === 'live' || value === 'expired')) filter = { ...filter, state: value };
    else throw usage(isState ? `${value} is no state` : `${word} is no option of LIST`);
  }
  return filter;
};

const readExport = (reader: Words): { base?: string } => {
  if (reader.isAtEnd) return {};
  const word = reader.next('an option');
  if (word.toLowerCase() !== 'base') throw usage(`${word} is no option of EXPORT`);
  return { base: reader.last('a checkpoint') };
};

/** A time such as `90s`, `30m`, `12h`, `7d`, in ms; a number alone is seconds. @throws TailraceError `USAGE` */
const parseLifetime = (text: string): number => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)?$/.exec(text.toLowerCase());
  if (match === null) throw usage(`${text} is no time`);
  return Math.round(Number(match[1]) * unitMs[match[2] ?? 's']);
};

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  next(what: string): string {
    const word = this.#words[this.#at++];
    if (word === undefined || word === '') throw usage(`${what} is missing`);
    return word;
  }

  last(what: string): string {
    const word = this.next(what);
    if (!this.isAtEnd) throw usage(`there is more than ${what}`);
    return word;
  }
}

const usage = (reason: string): TailraceError =>
  new TailraceError('USAGE', `CHECKPOINT: ${reason}`, {
    remedy: `Write one of: ${checkpointSyntax.join('; ')}.`,
  });
