import type { Reply } from '../../src/resp/index.js';

/** A reply for comparing: bulk strings as text, errors as their message. */
export const replyText = (reply: Reply): unknown => {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (reply instanceof Error) return reply.message;
  return Array.isArray(reply) ? reply.map(replyText) : reply;
};

/** A reply with its bytes as latin1 text, in which different ones stay different. */
export const latin1Of = (reply: Reply | undefined): unknown =>
  Array.isArray(reply)
    ? reply.map(latin1Of)
    : reply instanceof Uint8Array
      ? Buffer.from(reply).toString('latin1')
      : reply;

/** What stands in turn in a flat reply, two by two: fields with their values, members with their scores. */
export const pairsOf = (reply: Reply | undefined): unknown[][] => {
  const words = latin1Of(reply) as unknown[];
  return Array.from({ length: words.length / 2 }, (_, at) => words.slice(2 * at, 2 * at + 2));
};

export const fieldsOf = (reply: Reply | undefined): Map<unknown, unknown> =>
  new Map(pairsOf(reply) as [unknown, unknown][]);

export const byName = (a: unknown[], b: unknown[]): number => (String(a[0]) < String(b[0]) ? -1 : 1);
