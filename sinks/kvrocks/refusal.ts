import { isTailraceError, messageOf, TailraceError } from '../../src/kit/index.js';

/** What can be done about a batch that the target did not apply. */
export type RefusalKind = 'later' | 'elsewhere' | 'never';

export const refusalKind = (message: string): RefusalKind => {
  if (/^(LOADING|READONLY|MASTERDOWN)\b/.test(message) || /loading|restoring/i.test(message))
    return 'elsewhere';
  return /^(OOM|MISCONF|BUSY)\b|No space left/i.test(message) ? 'later' : 'never';
};

/** What a claim or a refused write failed with, as the error that the pipeline acts on. */
export const asSinkError = (error: unknown, place: string): TailraceError => {
  if (isTailraceError(error) && !error.code.startsWith('SOURCE_')) return error;
  const reason = messageOf(error);
  const context = { sink: place };
  if (isTailraceError(error, 'SOURCE_REFUSED') || isForbidden.test(reason))
    return new TailraceError('SINK_REFUSED', `${place} refuses APPLYBATCH: ${reason}`, {
      context,
      remedy:
        'Give the password of the administrator (requirepass); the tokens of namespaces are not enough.',
      cause: error,
    });
  const isUnreachable = isTailraceError(error, 'SOURCE_UNREACHABLE');
  return new TailraceError(
    'SINK_UNREACHABLE',
    isUnreachable ? reason : `cannot write to ${place}: ${reason}`,
    {
      context,
      remedy: 'Check the address, and that the server is running and takes writes.',
      cause: error,
    },
  );
};

const isForbidden = /^(NOAUTH|WRONGPASS|NOPERM|WRONGTYPE)\b|admin permission|invalid password/i;
