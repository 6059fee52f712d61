export { Server } from './server.js';
export { defaultServerOptions, type ServerOptions, type TlsFiles } from './server-options.js';
