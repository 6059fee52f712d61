import { isTailraceError } from '../../errors/index.js';
import type { Claim, Sink } from '../sink.js';

/** As a pipeline claims: again while the target cannot be reached, which on a busy machine means in time. */
export const claimPatiently = async (sink: Sink, signal: AbortSignal): Promise<Claim> => {
  for (let tries = 0; ; tries++) {
    try {
      return await sink.claim(signal);
    } catch (error) {
      if (tries >= maxTries || !isTailraceError(error, 'SINK_UNREACHABLE')) throw error;
    }
  }
};

const maxTries = 5;
