import { TailraceError } from '../errors/index.js';

/** The error for a file of a store that was written by another version. */
export const otherFormat = (path: string, format: unknown, expected: number): TailraceError =>
  new TailraceError('STORE_FORMAT_UNKNOWN', `${path} has format ${format}, this version reads ${expected}`, {
    context: { file: path, format: String(format), expected },
    remedy: 'Use the version of tailrace that wrote it, or one that reads both.',
  });
