import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultRetention, Engine, readSlots } from '../../src/engine/index.js';
import { type Finding, type SlotOwner, slotFindings } from '../../src/kit/index.js';

/** What `tailrace doctor` sees of a store, by looking into it without becoming its writer. */
export const checkStore = async (path: string, owner: SlotOwner): Promise<Finding[]> => {
  const directory = resolve(path);
  if (!existsSync(directory)) return [{ name: 'store', status: 'ok', detail: `${directory} will be made` }];
  await using engine = await Engine.open(directory, { isReadOnly: true });
  const { firstLogSequence, durableSequence, logBytes } = engine.stats();
  const log = {
    firstSequence: firstLogSequence,
    latestSequence: durableSequence,
    bytes: logBytes,
    maxBytes: defaultRetention.maxBytes,
  };
  return [
    ...timesFindings(engine),
    { name: 'store', status: 'ok', detail: `${directory} is at sequence number ${engine.sequence}` },
    { name: 'retention', status: 'ok', detail: `the log begins at sequence number ${firstLogSequence}` },
    ...slotFindings(readSlots(directory), log, owner),
  ];
};

const timesFindings = ({ timesFault }: Engine): Finding[] =>
  timesFault === undefined
    ? []
    : [
        {
          name: 'times',
          status: 'warn',
          detail: `${timesFault.file}: ${timesFault.reason}`,
          remedy:
            'When older sequence numbers were reached is not known: put the file back from a copy before the store is opened, or let it be begun anew.',
        },
      ];
