import { expect, it } from 'vitest';
import { toRedisCommands } from '../../src/data-model/index.js';
import { readStream } from '../../src/migration/commands/read-stream.js';
import { ByteBudget } from '../../src/migration/commands/reading.js';
import type { Reply } from '../../src/resp/index.js';

const bytes = (text: string): Buffer => Buffer.from(text);

/** The groups and consumers of a stream, in the order of their records; `gone` was destroyed, its consumer was left. */
const consumers: Readonly<Record<string, readonly string[]>> = {
  g0: ['ann', 'bob'],
  gone: ['bob'],
  last: ['ann'],
};

/** What a Kvrocks of the 2.11 line answers; it counts consumers wrongly, and lists all from the group's name on. */
const answerOf = (words: readonly (string | number | Uint8Array)[]): Reply => {
  const [name, what, , group] = words.map(String);
  if (name === 'XRANGE') return [[bytes('1-1'), [bytes('f'), null]]];
  if (name !== 'XINFO') return [];
  switch (what) {
    case 'STREAM':
      return [bytes('last-generated-id'), bytes('1-1'), bytes('entries-added'), 1];
    case 'GROUPS':
      return ['g0', 'g1', 'last'].map((each) => [
        ...[bytes('name'), bytes(each), bytes('consumers'), 3],
        ...[bytes('last-delivered-id'), bytes('0-0'), bytes('entries-read'), null],
      ]);
    default:
      return Object.entries(consumers)
        .filter(([each]) => each.length > group.length || (each.length === group.length && each >= group))
        .flatMap(([, names]) => names.map((consumer) => [bytes('name'), bytes(consumer)]));
  }
};

it('reads a stream of a Kvrocks, which tells empty values as none and lists consumers of other groups', () => {
  const key = bytes('s');
  const reading = readStream(
    { seq: 1, index: 0, ns: 'default', key },
    { pageElements: 100, budget: new ByteBudget(Number.POSITIVE_INFINITY) },
  );
  let step = reading.next([]);
  while (step.done !== true) step = reading.next(step.value.map(answerOf));
  if (!Array.isArray(step.value)) throw new Error(`not read: ${step.value}`);
  const { commands } = toRedisCommands({ changes: step.value });
  expect(commands.map((command) => command.map(String).join(' '))).toEqual([
    'XADD s 1-1 f ',
    'XSETID s 1-1 ENTRIESADDED 1 MAXDELETEDID 0-0',
    'XGROUP CREATE s g0 0-0 MKSTREAM ENTRIESREAD -1',
    'XGROUP CREATECONSUMER s g0 ann',
    'XGROUP CREATECONSUMER s g0 bob',
    'XGROUP CREATE s g1 0-0 MKSTREAM ENTRIESREAD -1',
    'XGROUP CREATE s last 0-0 MKSTREAM ENTRIESREAD -1',
    'XGROUP CREATECONSUMER s last ann',
  ]);
});
