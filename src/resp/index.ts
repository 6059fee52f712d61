export { ArgumentViews } from './argument-views.js';
export { ByteWriter } from './byte-writer.js';
export { type CommandArgument, encodeCommand, writeCommand } from './command-encoder.js';
export { giveBackLargeMemory, largeMemoryBytes } from './large-memory.js';
export { parseRedisUrl, type RespAddress } from './redis-url.js';
export { type Reply, ReplyError, ReplyParser } from './reply-parser.js';
export { ReplyWriter } from './reply-writer.js';
export {
  defaultRequestLimits,
  type RequestLimits,
  RequestParser,
  unauthenticatedRequestLimits,
} from './request-parser.js';
export { RespConnection } from './resp-connection.js';
