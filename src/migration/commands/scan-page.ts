import { type Reply, ReplyError } from '../../resp/index.js';
import type { KeyImage } from '../key-image.js';
import { requireReply } from '../server-connection.js';
import { buffersOf } from './reading.js';

/** How many keys the next part has: it follows their size, so that a part has about the bytes that are wanted. */
export class PartSize {
  keys = 64;

  /** Takes what was read of the last part. */
  follow(images: readonly KeyImage[], maxBytes: number, maxKeys: number): void {
    const bytes = images.reduce((total, image) => total + image.byteLength, 0);
    const fitting = Math.floor((maxBytes * images.length) / Math.max(1, bytes));
    this.keys = Math.max(1, Math.min(fitting, this.keys * 4, maxKeys));
  }
}

/** True for a cursor that the server has forgotten, as after its restart: the walk begins again. */
export const isForgotten = (reply: Reply | undefined, cursor: string): boolean =>
  reply instanceof ReplyError && /invalid cursor/i.test(reply.message) && cursor !== '0';

/** What SCAN answers. */
export const readScanPage = (
  reply: Reply | undefined,
  place: string,
): { readonly next: string; readonly keys: readonly Buffer[] } => {
  const [next, keys] = requireReply(reply, 'SCAN', place) as Reply[];
  if (!Array.isArray(keys)) throw new RangeError('an answer to SCAN that has no keys');
  return { next: String(next), keys: buffersOf(keys) };
};
