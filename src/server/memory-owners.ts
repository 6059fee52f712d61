import { Engine, type MemoryOwners } from '../engine/index.js';
import type { ServerState } from './server-state.js';

/** Memory outside the JavaScript heap that we know the owner of, in bytes: the engine's parts and the connections'. */
export const memoryOwners = (state: ServerState): MemoryOwners => {
  let outputBuffers = 0;
  for (const client of state.connections) outputBuffers += client.unsentBytes;
  return {
    ...(state.store instanceof Engine ? state.store.stats().memoryBytes : {}),
    outputBuffers,
  };
};
