import { resolve } from 'node:path';
import { TailraceError } from '../errors/index.js';
import {
  FileOffsetsStore,
  type OffsetsStore,
  PostgresOffsetsStore,
  RedisOffsetsStore,
} from '../pipeline/index.js';
import { describePath } from './describe-path.js';
import { redactText } from './redact.js';

/** Where positions are kept, as a pipeline file says it. */
export interface OffsetsPlace {
  readonly store: 'file' | 'redis' | 'postgres';
  readonly path: string;
  readonly url: string;
  readonly name: string;
  readonly lease: number;
}

/** Opens the store of positions. @throws TailraceError `CONFIG_INVALID` when its address is missing, or of another store */
export const openOffsets = ({ store, path, url, name, lease }: OffsetsPlace): OffsetsStore => {
  if (store === 'file') return new FileOffsetsStore(resolve(path));
  if (!url.startsWith(store === 'redis' ? 'redis' : 'postgres'))
    throw new TailraceError('CONFIG_INVALID', `the store ${store} needs an address of its kind`, {
      remedy: `Write ${store}://… in offsets.url, or after --url.`,
    });
  const options = { url, name, leaseMs: lease };
  return store === 'redis' ? new RedisOffsetsStore(options) : new PostgresOffsetsStore(options);
};

/** Where that is, for whoever looks for positions and finds none. */
export const describeOffsets = ({ store, path, url }: OffsetsPlace): string => {
  return store === 'file' ? describePath(path) : redactText(url);
};
