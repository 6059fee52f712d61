import { TailraceError } from '../../src/kit/index.js';
import type { ControlState } from './control-key.js';

/**
 * Commands of a batch failed while they ran: what it left stands, so nothing is written before somebody has looked.
 * @param slot of a cluster, of which `positionKey` is the position key
 */
export const commandsFailed = (
  { failed, failure, position }: Pick<ControlState, 'failed' | 'failure' | 'position'>,
  place: string,
  positionKey: string,
  slot?: number,
): TailraceError => {
  const sequence = position?.sequence ?? 0;
  const where = slot === undefined ? `on ${place}` : `in slot ${slot}`;
  const which = failure === '' ? '' : `: ${failure}`;
  const told = slot !== undefined && failure === '' ? `HGET ${positionKey} failure says which; ` : '';
  return new TailraceError(
    'SINK_FAILED',
    `${failed} of the commands up to sequence number ${sequence} failed ${where}${which}`,
    {
      context: { sink: place, sequence, failed, ...(slot === undefined ? {} : { slot }) },
      remedy: `Someone else writes keys there: ${told}mend the key, then HDEL ${positionKey} failed; or clear the target and reset the position.`,
    },
  );
};
