import type { Reply } from '../../src/resp/index.js';

/** A reply for comparing: bulk strings as text, errors as their message. */
export const replyText = (reply: Reply): unknown => {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (reply instanceof Error) return reply.message;
  return Array.isArray(reply) ? reply.map(replyText) : reply;
};
