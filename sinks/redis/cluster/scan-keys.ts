import { ReplyError } from '../../../src/kit/index.js';
import type { ClusterNodes } from './cluster-nodes.js';

/**
 * The keys of every master that start with `prefix`, page by page. A key that is there all the while comes at least
 * once. @throws ReplyError
 */
export async function* scanKeys(
  nodes: ClusterNodes,
  prefix: Buffer,
  signal: AbortSignal,
): AsyncGenerator<Buffer[]> {
  const glob = globOf(prefix);
  for (const master of nodes.masters) {
    const connection = await nodes.connection(master, signal);
    let cursor = '0';
    do {
      const page = await connection.call('SCAN', cursor, 'MATCH', glob, 'COUNT', 1000);
      if (page instanceof ReplyError) throw page;
      const [next, keys] = Array.isArray(page) ? page : [];
      cursor = String(next ?? '0');
      if (Array.isArray(keys)) yield keys.filter((key): key is Buffer => key instanceof Buffer);
    } while (cursor !== '0');
  }
}

/** A glob for exactly what starts with these bytes. */
const globOf = (prefix: Buffer): Buffer => {
  const bytes: number[] = [];
  for (const byte of prefix) {
    if (globCharacters.includes(byte)) bytes.push(0x5c);
    bytes.push(byte);
  }
  return Buffer.from([...bytes, 0x2a]);
};

const globCharacters = Buffer.from('*?[]^-\\');
