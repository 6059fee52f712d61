import { TailraceError } from '../../src/kit/index.js';
import type { ControlState } from './control-key.js';

/** Commands of a batch failed while EXEC ran: what it left stands, so nothing is written before somebody has looked. */
export const commandsFailed = (
  { failed, failure, position }: Pick<ControlState, 'failed' | 'failure' | 'position'>,
  place: string,
  positionKey: string,
): TailraceError => {
  const sequence = position?.sequence ?? 0;
  const which = failure === '' ? '' : `: ${failure}`;
  return new TailraceError(
    'SINK_FAILED',
    `${failed} of the commands up to sequence number ${sequence} failed on ${place}${which}`,
    {
      context: { sink: place, sequence, failed },
      remedy: `Someone else writes keys there: mend the key, then HDEL ${positionKey} failed; or clear the target and reset the position.`,
    },
  );
};
