import { defaultSchema, openMirror } from '../../../sinks/postgres/index.js';
import { kvrocksTypes } from '../../../sinks/redis/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import { slotOf } from '../../kit/index.js';
import { RecordFilter, ServerConnection, tokensOf } from '../../migration/index.js';
import {
  type ComparedTarget,
  MirrorTarget,
  NamespacesTarget,
  RecordTarget,
  TargetKeys,
} from '../../migration/verify/index.js';
import { parseRedisUrl, type RespAddress } from '../../resp/index.js';
import { type byDatabase, keepsNamespaces, namespacesOf, targetPassword, type VerifyFlags } from './flags.js';
import type { SourcePlace } from './source-place.js';
import { targetKindOf } from './target-kind.js';
import { positionKeyOf } from './target-place.js';
import { lookAtTarget } from './target-server.js';

/** A target to compare with, and the connections to it. */
export interface ComparedEnd extends AsyncDisposable {
  readonly target: ComparedTarget;
}

/**
 * The target as it is compared: by records where those were copied as they are, otherwise by commands.
 * @throws TailraceError `CONFIG_INVALID` | `SINK_UNREACHABLE` | `SINK_REFUSED`
 */
export const openCompared = async (
  { records, namespaces }: SourcePlace,
  { database, prefixes }: ReturnType<typeof byDatabase>[number],
  flags: VerifyFlags,
  signal: AbortSignal,
): Promise<ComparedEnd> => {
  if (targetKindOf(flags.to) === 'postgres') return await openMirrored(Object.keys(prefixes), flags);
  const parsed = parseRedisUrl(flags.to, targetPassword(flags));
  const address = database === undefined ? parsed : { ...parsed, database };
  const ownKey = positionKeyOf(flags.name);
  const { kind, masters } = await lookAtTarget(address, signal);
  if (kind === 'tailrace' && records !== undefined && keepsNamespaces(namespacesOf(flags))) {
    const connection = new ServerConnection(address);
    const filter = new RecordFilter({ namespaces, ownKey });
    const target = new RecordTarget(connection, { source: records, filter, ownKey });
    return { target, [Symbol.asyncDispose]: async () => connection.close() };
  }
  const isKept = kind === 'kvrocks' && records !== undefined && keepsNamespaces(namespacesOf(flags));
  if (isKept && namespaces.some((ns) => ns !== 'default'))
    return await openNamespaces(address, Object.keys(prefixes), ownKey, signal);
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
    target: new TargetKeys(connected, prefixes, ownKey, kind === 'redis' ? {} : kvrocksTypes),
    [Symbol.asyncDispose]: async () => {
      for (const { connection } of nodes) connection.close();
    },
  };
};

/** The mirror of a Postgres, whose tables have the names of the namespaces. */
const openMirrored = async (namespaces: readonly string[], flags: VerifyFlags): Promise<ComparedEnd> => {
  const named = flags.toOption?.findLast((setting) => setting.startsWith('schema='));
  const mirror = await openMirror({
    url: flags.to,
    password: targetPassword(flags),
    schema: named?.slice('schema='.length) ?? defaultSchema,
  });
  return {
    target: new MirrorTarget(mirror, namespaces),
    [Symbol.asyncDispose]: () => mirror.close(),
  };
};

/** The namespaces of a Kvrocks, each by the token that its administrator is told. */
const openNamespaces = async (
  address: RespAddress,
  namespaces: readonly string[],
  ownKey: string,
  signal: AbortSignal,
): Promise<ComparedEnd> => {
  const admin = new ServerConnection(address);
  const connections = [admin];
  const targets = new Map<string, TargetKeys>();
  try {
    const tokens = await tokensOf(admin, signal).catch((cause: unknown) => {
      throw isTailraceError(cause, 'SOURCE_UNREACHABLE')
        ? cause
        : needsTokens(admin.place, namespaces, cause);
    });
    for (const ns of namespaces) {
      const token = tokens.get(ns);
      if (ns !== 'default' && token === undefined) throw lacksNamespace(admin.place, ns);
      const connection = token === undefined ? admin : admin.by(token);
      if (connection !== admin) connections.push(connection);
      const nodes = { nodes: [connection], nodeOf: () => 0 };
      targets.set(ns, new TargetKeys(nodes, { [ns]: '' }, ownKey, kvrocksTypes));
    }
  } catch (error) {
    for (const connection of connections) connection.close();
    throw error;
  }
  return {
    target: new NamespacesTarget(targets),
    [Symbol.asyncDispose]: async () => {
      for (const connection of connections) connection.close();
    },
  };
};

const needsTokens = (place: string, namespaces: readonly string[], cause: unknown): TailraceError =>
  new TailraceError('SINK_REFUSED', `${place} shows its namespaces by tokens that it does not tell`, {
    context: { target: place, namespaces: namespaces.join(', ') },
    remedy:
      'Give the password of its administrator (--to-password), or compare one by one: verify --namespace NAME= --to-password TOKEN.',
    cause,
  });

const lacksNamespace = (place: string, ns: string): TailraceError =>
  new TailraceError('SINK_REFUSED', `${place} has no namespace ${JSON.stringify(ns)}`, {
    context: { target: place, namespace: ns },
    remedy: 'Its keys are there without a token by which they could be read: NAMESPACE ADD gives it one.',
  });
