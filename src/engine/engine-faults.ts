import { TailraceError } from '../errors/index.js';
import { describeHolder, type LockHolder } from '../files/index.js';

export const locked = (directory: string, holder: LockHolder | undefined): TailraceError =>
  new TailraceError('STORE_LOCKED', `${directory} is in use by ${describeHolder(holder)}`, {
    context: { directory, ...(holder === undefined ? {} : { pid: holder.pid, host: holder.host }) },
    remedy: 'Stop that process, or use its server instead of the directory.',
  });

export const tooLarge = (actual: number, limit: number): TailraceError =>
  new TailraceError('LIMIT_EXCEEDED', `a batch of ${actual} bytes exceeds the limit of ${limit}`, {
    context: { actual, limit },
    remedy: 'Write less at once, or open the store with a larger maxBatchBytes.',
  });

export const readOnly = (directory: string): TailraceError =>
  new TailraceError('STORE_READ_ONLY', `${directory} was opened for reading only`, {
    remedy: 'Open the store without isReadOnly.',
  });

export const closed = (message: string): TailraceError =>
  new TailraceError('STORE_CLOSED', message, { remedy: 'Open it again.' });
