import { TailraceError } from '../../errors/index.js';
import { placeName, placeOf, ServerConnection } from '../../migration/index.js';
import type { Reply, RespAddress } from '../../resp/index.js';
import { counted } from '../console.js';
import { scanKeys } from '../scan-keys.js';
import { byDatabase, type NamespaceTargets } from './flags.js';

/** What to do when the target already holds keys. */
export type ExistingKeys = 'refuse' | 'overwrite' | 'skip';

/**
 * Looks at what a target holds before anything is written: the names of the keys that are to be left alone.
 * @throws TailraceError `SINK_REFUSED` when it holds any and is to be empty | `LIMIT_EXCEEDED`
 */
export const lookAtExisting = async (
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
      for await (const key of keysOf(connection, signal)) {
        if (key.toString('latin1').startsWith(positionKey)) continue;
        if (existing === 'refuse')
          throw notEmpty(
            connection.place,
            key,
            await connection.call(signal, 'DBSIZE'),
            await holdsPosition(nodes, positionKey, signal),
          );
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

async function* keysOf(connection: ServerConnection, signal: AbortSignal): AsyncGenerator<Buffer> {
  for await (const keys of scanKeys(connection, signal)) yield* keys;
}

/** Whether a migration of the name was here: in a cluster the one node says so that has the slot. */
const holdsPosition = async (
  nodes: readonly RespAddress[],
  positionKey: string,
  signal: AbortSignal,
): Promise<boolean> => {
  for (const node of nodes) {
    const connection = new ServerConnection(node);
    try {
      if ((await connection.call(signal, 'EXISTS', positionKey)) === 1) return true;
    } finally {
      connection.close();
    }
  }
  return false;
};

/** Keys that may be left alone: their names are held in memory and in the state file. */
const maxSkipped = 1_000_000;

const notEmpty = (place: string, key: Buffer, size: Reply, hasPosition: boolean): TailraceError =>
  new TailraceError(
    'SINK_REFUSED',
    // A Kvrocks counts its keys only when it is told to.
    `${place} is not empty: it holds ${Number(size) > 0 ? counted(Number(size), 'key') : 'keys'}, ${JSON.stringify(key.toString())} among them`,
    {
      context: { target: place },
      remedy: `${
        hasPosition
          ? 'A migration of this name was here: to go on with it, run it where its state file is, or name that by --state. Else empty'
          : 'Empty'
      } it, or choose: --existing overwrite replaces keys of the same name, --existing skip leaves them alone.`,
    },
  );

const tooMany = (place: string): TailraceError =>
  new TailraceError('LIMIT_EXCEEDED', `${place} holds more than ${maxSkipped} keys to leave alone`, {
    context: { target: place, limit: maxSkipped },
    remedy: 'Use --existing overwrite, or an empty target.',
  });
