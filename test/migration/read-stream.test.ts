import { expect, it } from 'vitest';
import { toRedisCommands } from '../../src/data-model/index.js';
import { readStream } from '../../src/migration/commands/read-stream.js';
import { ByteBudget } from '../../src/migration/commands/reading.js';
import type { Reply } from '../../src/resp/index.js';

const bytes = (text: string): Buffer => Buffer.from(text);

/** What a Kvrocks of the 2.11 line answers, by the first two words. */
const answers: Readonly<Record<string, Reply>> = {
  XRANGE: [[bytes('1-1'), [bytes('f'), null]]],
  'XINFO STREAM': [bytes('last-generated-id'), bytes('1-1'), bytes('entries-added'), 1],
  'XINFO GROUPS': ['g0', 'g1'].map((name) => [
    ...[bytes('name'), bytes(name), bytes('consumers'), name === 'g0' ? 0 : 1],
    ...[bytes('last-delivered-id'), bytes('0-0'), bytes('entries-read'), null],
  ]),
  'XINFO CONSUMERS': [[bytes('name'), bytes('c1')]],
  XPENDING: [],
};

it('reads a stream of a Kvrocks, which tells empty values as none and lists the consumers of the next group', () => {
  const key = bytes('s');
  const reading = readStream(
    { seq: 1, index: 0, ns: 'default', key },
    { pageElements: 100, budget: new ByteBudget(Number.POSITIVE_INFINITY) },
  );
  let step = reading.next([]);
  while (step.done !== true)
    step = reading.next(
      step.value.map(([first, second]) => answers[String(first)] ?? answers[`${first} ${second}`] ?? []),
    );
  if (!Array.isArray(step.value)) throw new Error(`not read: ${step.value}`);
  const { commands } = toRedisCommands({ changes: step.value });
  expect(commands.map((command) => command.map(String).join(' '))).toEqual([
    'XADD s 1-1 f ',
    'XSETID s 1-1 ENTRIESADDED 1 MAXDELETEDID 0-0',
    'XGROUP CREATE s g0 0-0 MKSTREAM ENTRIESREAD -1',
    'XGROUP CREATE s g1 0-0 MKSTREAM ENTRIESREAD -1',
    'XGROUP CREATECONSUMER s g1 c1',
  ]);
});
