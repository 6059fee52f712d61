import { isTailraceError, TailraceError } from '../../errors/index.js';
import { requireReply, ServerConnection } from '../../migration/index.js';
import type { Reply, RespAddress } from '../../resp/index.js';

/** A master of a cluster, and the slots it has. */
export interface Master extends RespAddress {
  readonly slots: readonly number[];
}

/** What a server says of itself. */
export interface TargetServer {
  readonly kind: 'redis' | 'kvrocks' | 'tailrace';
  /** The masters of a cluster; none of a server by itself. */
  readonly masters: readonly Master[];
  /** Tells it from every other one; undefined where it does not say. */
  readonly runId: string | undefined;
}

/**
 * Asks a server that is to be written to or compared with what it is.
 * @throws TailraceError `SINK_UNREACHABLE` | `SINK_REFUSED`
 */
export const lookAtTarget = async (address: RespAddress, signal: AbortSignal): Promise<TargetServer> => {
  const connection = new ServerConnection(address);
  try {
    const info = String(requireReply(await connection.call(signal, 'INFO'), 'INFO', connection.place));
    const isCluster = /cluster_enabled:1/.test(info);
    return {
      kind: /^server_name:tailrace/m.test(info)
        ? 'tailrace'
        : /^kvrocks_version:/m.test(info)
          ? 'kvrocks'
          : 'redis',
      masters: isCluster ? mastersOf(address, await connection.call(signal, 'CLUSTER', 'SLOTS')) : [],
      runId: runIdOf(info),
    };
  } catch (error) {
    throw asTargetError(error, connection.place);
  } finally {
    connection.close();
  }
};

/** @throws TailraceError `SINK_REFUSED` for a replica that takes no writes: there is no use in waiting for it */
export const requireWritable = async (address: RespAddress, signal: AbortSignal): Promise<void> => {
  const connection = new ServerConnection(address);
  try {
    const info = String(await connection.call(signal, 'INFO', 'replication'));
    if (!/^role:slave/m.test(info) || /^slave_read_only:0/m.test(info)) return;
    throw new TailraceError('SINK_REFUSED', `${connection.place} is a read only replica`, {
      context: { target: connection.place },
      remedy: 'The target takes no writes: give the address of its master, or promote it.',
    });
  } finally {
    connection.close();
  }
};

/** What a server calls this run of itself. */
export const runIdOf = (info: string): string | undefined => /^run_id:([0-9a-f]+)/m.exec(info)?.[1];

const mastersOf = (address: RespAddress, slots: Reply): readonly Master[] => {
  const masters = new Map<string, RespAddress & { slots: number[] }>();
  for (const range of Array.isArray(slots) ? slots : []) {
    const [first, last, node] = Array.isArray(range) ? range : [];
    const [host, port] = Array.isArray(node) ? node : [];
    const at = { ...address, host: String(host) || address.host, port: Number(port) };
    const name = `${at.host}:${at.port}`;
    const master = masters.get(name) ?? { ...at, slots: [] };
    for (let slot = Number(first); slot <= Number(last); slot++) master.slots.push(slot);
    masters.set(name, master);
  }
  return [...masters.values()];
};

/** A connection tells of a source, as which it is mostly used. */
const asTargetError = (error: unknown, place: string): unknown => {
  if (!isTailraceError(error) || !error.code.startsWith('SOURCE_')) return error;
  const code = error.code === 'SOURCE_REFUSED' ? 'SINK_REFUSED' : 'SINK_UNREACHABLE';
  return new TailraceError(code, error.message, {
    context: { target: place },
    remedy:
      code === 'SINK_REFUSED'
        ? 'Check the user and the password of the target (--to-password, TAILRACE_TO_PASSWORD).'
        : 'Check the address of the target, and that it is running.',
    cause: error,
  });
};
