import { openFileLimit } from '../files/index.js';

/** Sockets that a server may have, those included whose clients are only told that there are too many. */
export const mostSockets = (): number => Math.max(2 * refusedSockets, openFileLimit() - storeFiles);

/** Clients that a server may be asked to take, so that none takes what the store needs to open its next file. */
export const mostClients = (): number => mostSockets() - refusedSockets;

/** Files that are left to the store, and to all else of the process. */
const storeFiles = 64;
/** Sockets for clients that are told that there are too many. */
const refusedSockets = 32;
