import { isTailraceError, TailraceError } from '../../src/kit/index.js';

/** What can be done about a batch that Redis did not queue, or would not run. */
export type RefusalKind =
  /** Another node, or a new connection to this one, may take it. */
  | 'moved'
  /** The same again later. */
  | 'busy'
  | 'forbidden'
  /** It has to do with the command itself. */
  | 'command';

export const refusalKind = (message: string): RefusalKind => {
  const reason = message.replace(/^EXECABORT .* because of: /, '');
  if (/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK)\b/.test(reason)) return 'moved';
  if (/^(OOM|MISCONF|NOREPLICAS|BUSY)\b/.test(reason)) return 'busy';
  return isForbidden.test(reason) ? 'forbidden' : 'command';
};

const isForbidden = /^(NOAUTH|WRONGPASS|NOPERM)\b/;

/** What a claim or a refused write failed with, as the error that the pipeline acts on. */
export const asSinkError = (error: unknown, place: string): TailraceError => {
  const reason = error instanceof Error ? error.message : String(error);
  if (isTailraceError(error) && !error.code.startsWith('SOURCE_')) return error;
  if (/^(MOVED|CROSSSLOT)\b/.test(reason))
    return new TailraceError('SINK_REFUSED', `${place} is a node of a Redis Cluster: ${reason}`, {
      context: { sink: place },
      remedy: 'Set `cluster: true` for this sink.',
      cause: error,
    });
  const isRefusal =
    isTailraceError(error, 'SOURCE_REFUSED') || isForbidden.test(reason) || reason.startsWith('WRONGTYPE');
  if (isRefusal)
    return new TailraceError('SINK_REFUSED', `${place} refuses: ${reason}`, {
      context: { sink: place },
      remedy: 'Check the user, its password and its rights, and that the position key is free.',
      cause: error,
    });
  return new TailraceError('SINK_UNREACHABLE', `cannot write to ${place}: ${reason}`, {
    context: { sink: place },
    remedy: 'Check the address, and that the server is running and takes writes.',
    cause: error,
  });
};
