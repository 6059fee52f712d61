export { type CheckpointAnswer, runCheckpointRequest } from './checkpoint-request.js';
export { readReply } from './read-reply.js';
export { requireProtected, Server } from './server.js';
export type { ServerOptions, TlsFiles } from './server-options.js';
