import { resolve } from 'node:path';
import { TailraceError } from '../errors/index.js';
import {
  FileOffsetsStore,
  type OffsetsStore,
  PostgresOffsetsStore,
  RedisOffsetsStore,
} from '../pipeline/index.js';

/** Where positions are kept, as a pipeline file says it. */
export interface OffsetsPlace {
  readonly store: 'file' | 'redis' | 'postgres';
  readonly path: string;
  readonly url: string;
  readonly name: string;
  readonly lease: number;
}

/** Opens the store of positions. @throws TailraceError `CONFIG_INVALID` when its address is missing */
export const openOffsets = ({ store, path, url, name, lease }: OffsetsPlace): OffsetsStore => {
  if (store === 'file') return new FileOffsetsStore(resolve(path));
  if (url === '')
    throw new TailraceError('CONFIG_INVALID', `offsets.url: is required for the store ${store}`, {
      remedy: `Write ${store}://… there, or after --url.`,
    });
  const options = { url, name, leaseMs: lease };
  return store === 'redis' ? new RedisOffsetsStore(options) : new PostgresOffsetsStore(options);
};
