export { Server } from './server.js';
export { defaultServerOptions, type ServerOptions } from './server-options.js';
