import { kvrocksTypes, slotOf } from '../../../sinks/redis/index.js';
import { TailraceError } from '../../errors/index.js';
import {
  type ComparedTarget,
  RecordFilter,
  RecordTarget,
  ServerConnection,
  TargetKeys,
} from '../../migration/index.js';
import { parseRedisUrl } from '../../resp/index.js';
import { type byDatabase, keepsNamespaces, namespacesOf, targetPassword, type VerifyFlags } from './flags.js';
import { placeOfUrl, type SourcePlace } from './source-place.js';
import { positionKeyOf } from './target-place.js';
import { lookAtTarget } from './target-server.js';

/** A target to compare with, and the connections to it. */
export interface ComparedEnd extends Disposable {
  readonly target: ComparedTarget;
}

/**
 * The target as it is compared: by records where those were copied as they are, otherwise by commands.
 * @throws TailraceError `USAGE` | `SINK_UNREACHABLE` | `SINK_REFUSED`
 */
export const openCompared = async (
  { records, namespaces }: SourcePlace,
  { database, prefixes }: ReturnType<typeof byDatabase>[number],
  flags: VerifyFlags,
  signal: AbortSignal,
): Promise<ComparedEnd> => {
  if (!/^rediss?:\/\//.test(flags.to))
    throw new TailraceError('USAGE', `${placeOfUrl(flags.to)} cannot be compared with`, {
      remedy: 'Write redis://host:port of a Redis, or of a node of a cluster.',
    });
  const parsed = parseRedisUrl(flags.to, targetPassword(flags));
  const address = database === undefined ? parsed : { ...parsed, database };
  const ownKey = positionKeyOf(flags.name);
  const { kind, masters } = await lookAtTarget(address, signal);
  if (kind === 'tailrace' && records !== undefined && keepsNamespaces(namespacesOf(flags))) {
    const connection = new ServerConnection(address);
    const filter = new RecordFilter({ namespaces, ownKey });
    const target = new RecordTarget(connection, { source: records, filter, ownKey });
    return { target, [Symbol.dispose]: () => connection.close() };
  }
  const isKept = kind === 'kvrocks' && records !== undefined && keepsNamespaces(namespacesOf(flags));
  if (isKept && namespaces.some((ns) => ns !== 'default'))
    throw needsTokens(placeOfUrl(flags.to), namespaces);
  const nodes = (masters.length === 0 ? [{ ...address, slots: [] }] : masters).map((master) => ({
    connection: new ServerConnection(master),
    slots: master.slots,
  }));
  const owners = new Map(nodes.flatMap(({ slots }, at) => slots.map((slot): [number, number] => [slot, at])));
  const connected = {
    nodes: nodes.map(({ connection }) => connection),
    nodeOf: (key: Buffer) => (nodes.length === 1 ? 0 : (owners.get(slotOf(key)) ?? 0)),
  };
  return {
    target: new TargetKeys(
      connected,
      prefixes,
      ownKey,
      kind === 'redis' || masters.length > 0 ? {} : kvrocksTypes,
    ),
    [Symbol.dispose]: () => {
      for (const { connection } of nodes) connection.close();
    },
  };
};

const needsTokens = (place: string, namespaces: readonly string[]): TailraceError =>
  new TailraceError('USAGE', `${place} shows each of its namespaces by a token of its own`, {
    context: { target: place, namespaces: namespaces.join(', ') },
    remedy:
      'Compare them one by one: verify --namespace NAME= --to-password TOKEN, with the token it has there.',
  });
