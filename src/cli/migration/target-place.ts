import { resolve } from 'node:path';
import { FileSink } from '../../../sinks/file/index.js';
import { RedisClusterSink, RedisSink } from '../../../sinks/redis/index.js';
import { TailraceError } from '../../errors/index.js';
import type { Logger, Sink } from '../../kit/index.js';
import { placeName, placeOf, ServerConnection } from '../../migration/index.js';
import { parseRedisUrl, type Reply, type RespAddress } from '../../resp/index.js';
import { byDatabase, type NamespaceTargets } from './flags.js';
import { openOther } from './other-target.js';
import { placeOfUrl } from './source-place.js';

/** What to do when the target already holds keys. */
export type ExistingKeys = 'refuse' | 'overwrite' | 'skip';

export interface TargetPlace extends AsyncDisposable {
  /** Without secrets. */
  readonly name: string;
  readonly sink: Sink;
  /** True when the target keeps the sequence numbers of changes. */
  readonly keepsNumbers: boolean;
  /** True empties the target with the first step. */
  readonly clears: boolean;
  /** Looks at what the target holds before anything is written; the names of keys that are to be left alone. */
  prepare(signal: AbortSignal): Promise<readonly string[]>;
}

export interface TargetOptions {
  readonly url: string;
  readonly password: string;
  /** Name of the migration: positions in the target are kept under it. */
  readonly name: string;
  /** Where the keys of each namespace go. */
  readonly namespaces: NamespaceTargets;
  readonly existing: ExistingKeys;
  /** `name=value`, for a target that has settings. */
  readonly settings: readonly string[];
  readonly logger: Logger;
}

/** The key in a Redis target under which a migration keeps its position. */
export const positionKeyOf = (name: string): string => `tailrace:${name}:position`;

/** @throws TailraceError `USAGE` | `SINK_UNREACHABLE` | `SINK_REFUSED` */
export const openTarget = async (options: TargetOptions, signal: AbortSignal): Promise<TargetPlace> => {
  const { url } = options;
  if (/^rediss?:\/\//.test(url)) return await openRedis(options, signal);
  if (/\.(ndjson|resp)$/.test(url)) return openFile(options);
  return openOther(options);
};

const openRedis = async (options: TargetOptions, signal: AbortSignal): Promise<TargetPlace> => {
  const { url, password, name, namespaces, existing, logger } = options;
  const parsed = parseRedisUrl(url);
  const address = password === '' ? parsed : { ...parsed, password };
  const nodes = await mastersOf(address, signal);
  if (await hasTypesOfKvrocks(address, signal))
    logger.warn(
      'the target is filled by the commands of Redis: bitmaps, JSON and HyperLogLogs become strings',
      {
        target: placeOfUrl(url),
      },
    );
  const positionKey = positionKeyOf(name);
  const context = { pipeline: name, log: logger };
  const sink =
    nodes.length === 0
      ? new RedisSink({ url, password, positionKey, namespaces }, context)
      : new RedisClusterSink({ urls: [url], password, positionKey, namespaces }, context);
  return {
    name: placeOfUrl(url),
    sink,
    keepsNumbers: false,
    clears: false,
    prepare: (whenAborted) =>
      lookAtKeys(nodes.length === 0 ? [address] : nodes, positionKey, existing, namespaces, whenAborted),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
};

/** True for a Kvrocks or a tailrace, which have types that no command of Redis makes. */
const hasTypesOfKvrocks = async (address: RespAddress, signal: AbortSignal): Promise<boolean> => {
  const connection = new ServerConnection(address);
  try {
    return /kvrocks_version|server_name:tailrace/.test(
      String(await connection.call(signal, 'INFO', 'server')),
    );
  } finally {
    connection.close();
  }
};

/** A master of a cluster, and the slots it has. */
export interface Master extends RespAddress {
  readonly slots: readonly number[];
}

/** The masters of a cluster; none of a Redis by itself. */
export const mastersOf = async (address: RespAddress, signal: AbortSignal): Promise<readonly Master[]> => {
  const connection = new ServerConnection(address);
  try {
    const info = await connection.call(signal, 'INFO', 'cluster');
    if (!/cluster_enabled:1/.test(String(info))) return [];
    const ranges = await connection.call(signal, 'CLUSTER', 'SLOTS');
    const masters = new Map<string, RespAddress & { slots: number[] }>();
    for (const range of Array.isArray(ranges) ? ranges : []) {
      const [first, last, node] = Array.isArray(range) ? range : [];
      const [host, port] = Array.isArray(node) ? node : [];
      const at = { ...address, host: String(host) || address.host, port: Number(port) };
      const name = `${at.host}:${at.port}`;
      const master = masters.get(name) ?? { ...at, slots: [] };
      for (let slot = Number(first); slot <= Number(last); slot++) master.slots.push(slot);
      masters.set(name, master);
    }
    return [...masters.values()];
  } finally {
    connection.close();
  }
};

const lookAtKeys = async (
  nodes: readonly RespAddress[],
  positionKey: string,
  existing: ExistingKeys,
  namespaces: NamespaceTargets,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  if (existing === 'overwrite') return [];
  const found: string[] = [];
  const groups = byDatabase(namespaces).flatMap(({ database, prefixes }) =>
    nodes.map((node) => ({ address: database === undefined ? node : { ...node, database }, prefixes })),
  );
  for (const { address, prefixes } of groups) {
    const connection = new ServerConnection(address);
    try {
      for await (const key of scanKeys(connection, signal)) {
        if (key.toString('latin1').startsWith(positionKey)) continue;
        if (existing === 'refuse')
          throw notEmpty(connection.place, key, await connection.call(signal, 'DBSIZE'));
        for (const [ns, prefix] of Object.entries(prefixes)) {
          const start = Buffer.from(prefix);
          if (key.subarray(0, start.length).equals(start))
            found.push(placeName(placeOf(ns, key.subarray(start.length))));
        }
        if (found.length > maxSkipped) throw tooMany(connection.place);
      }
    } finally {
      connection.close();
    }
  }
  return found;
};

async function* scanKeys(connection: ServerConnection, signal: AbortSignal): AsyncGenerator<Buffer> {
  let cursor = '0';
  do {
    const reply = await connection.call(signal, 'SCAN', cursor, 'COUNT', 1000);
    const [next, keys] = Array.isArray(reply) ? reply : [];
    if (!Array.isArray(keys))
      throw new TailraceError('SINK_REFUSED', `${connection.place} refuses SCAN: ${reply}`);
    for (const key of keys) if (key instanceof Buffer) yield key;
    cursor = String(next);
  } while (cursor !== '0');
}

const openFile = ({ url, name, namespaces, logger }: TargetOptions): TargetPlace => {
  const path = resolve(url.replace(/^file:(\/\/)?/, ''));
  const format = path.endsWith('.resp') ? 'resp' : 'ndjson';
  const options = { path, source: name, format, namespaces: prefixesAlone(namespaces), sync: true } as const;
  const sink = new FileSink(options, { pipeline: name, log: logger });
  return {
    name: path,
    sink,
    keepsNumbers: format === 'ndjson',
    clears: false,
    prepare: async () => [],
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
};

const prefixesAlone = (namespaces: NamespaceTargets): Readonly<Record<string, string>> => {
  const [{ database, prefixes }, ...others] = byDatabase(namespaces);
  if (others.length === 0 && database === undefined) return prefixes;
  throw new TailraceError('USAGE', 'only a Redis has databases', {
    remedy: 'Give each namespace a prefix by --namespace NAME=PREFIX.',
  });
};

/** Keys that may be left alone: their names are held in memory and in the state file. */
const maxSkipped = 1_000_000;

const notEmpty = (place: string, key: Buffer, size: Reply): TailraceError =>
  new TailraceError(
    'SINK_REFUSED',
    `${place} is not empty: it holds ${size} keys, ${JSON.stringify(key.toString())} among them`,
    {
      context: { target: place },
      remedy:
        'Empty it, or choose: --existing overwrite replaces keys of the same name, --existing skip leaves them alone.',
    },
  );

const tooMany = (place: string): TailraceError =>
  new TailraceError('LIMIT_EXCEEDED', `${place} holds more than ${maxSkipped} keys to leave alone`, {
    context: { target: place, limit: maxSkipped },
    remedy: 'Use --existing overwrite, or an empty target.',
  });
