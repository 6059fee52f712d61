import { isTailraceError, messageOf, TailraceError } from '../../src/kit/index.js';

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
  const reason = reasonOf(message);
  if (/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK)\b/.test(reason)) return 'moved';
  if (/^(OOM|MISCONF|NOREPLICAS|BUSY)\b/.test(reason)) return 'busy';
  return isForbidden.test(reason) ? 'forbidden' : 'command';
};

/** Of commands within a script, too. */
const isForbidden = /^(NOAUTH|WRONGPASS|NOPERM)\b|^(ERR )?The user executing the script can't/;
/** Of what a claim needs: also that the position key is taken, and commands that were renamed or that a proxy lacks. */
const isForEver = new RegExp(`${isForbidden.source}|^WRONGTYPE\\b|^ERR unknown command`);

/** What a claim or a refused write failed with, as the error that the pipeline acts on. */
export const asSinkError = (error: unknown, place: string): TailraceError => {
  const reason = messageOf(error);
  if (isTailraceError(error) && !error.code.startsWith('SOURCE_')) return error;
  if (/^(MOVED|CROSSSLOT)\b/.test(reason))
    return new TailraceError('SINK_REFUSED', `${place} is a node of a Redis Cluster: ${reason}`, {
      context: { sink: place },
      remedy: 'Set `cluster: true` for this sink.',
      cause: error,
    });
  const isRefusal = isTailraceError(error, 'SOURCE_REFUSED') || isForEver.test(reasonOf(reason));
  if (isRefusal)
    return new TailraceError('SINK_REFUSED', `${place} refuses: ${reason}`, {
      context: { sink: place },
      remedy:
        'Check the user, its password and its rights, that the position key is free, and that no command is renamed.',
      cause: error,
    });
  // Which node of a cluster cannot be reached its own error tells.
  const isUnreachable = isTailraceError(error, 'SOURCE_UNREACHABLE');
  return new TailraceError(
    'SINK_UNREACHABLE',
    isUnreachable ? reason : `cannot write to ${place}: ${reason}`,
    {
      context: { sink: place },
      remedy:
        remedies[firstWord(reason)] ?? 'Check the address, and that the server is running and takes writes.',
      cause: error,
    },
  );
};

/** What an operator can do about an answer that is not for ever; the pipeline tries on meanwhile. */
const remedies: Readonly<Record<string, string>> = {
  OOM: 'The target is out of memory: raise its maxmemory, or give it fewer keys.',
  MISCONF: 'The target cannot save its data to disk: look into its log, and make room.',
  NOREPLICAS: 'The target has fewer replicas than min-replicas-to-write: bring them back.',
  BUSY: 'A script of somebody else blocks the target: wait, or end it with SCRIPT KILL.',
  READONLY: 'The target is a replica: give the address of its master, or promote it.',
  MASTERDOWN: 'The target is a replica that lost its master: give the address of the master.',
  LOADING: 'The target is loading its data: wait until it has.',
  ASK: 'A slot of the cluster is being moved: wait until it has arrived.',
  CLUSTERDOWN: 'The cluster lacks a master for some slots: bring it or its replica back.',
};

/** Without what stands around it where a transaction, or a script of Redis 6, was ended for it. */
const reasonOf = (message: string): string =>
  message.replace(
    /^EXECABORT .* because of: |^ERR Error running script \(call to \w+\): (@\w+: ?\d+: )+-?/,
    '',
  );

const firstWord = (message: string): string => reasonOf(message).split(' ', 1)[0] ?? '';
