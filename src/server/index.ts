export { type CheckpointAnswer, runCheckpointRequest } from './checkpoint-request.js';
export { packageVersion } from './package-version.js';
export { Server } from './server.js';
export type { ServerOptions, TlsFiles } from './server-options.js';
