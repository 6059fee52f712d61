import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects all garbage now: what is in use after it is in use, whenever the engine would have looked by itself. */
export const collectGarbage: () => void = runInNewContext('gc');
