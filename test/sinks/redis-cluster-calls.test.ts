import { expect, it } from 'vitest';
import { ClaimedSlots } from '../../sinks/redis/cluster/claimed-slots.js';
import { ClusterNodes } from '../../sinks/redis/cluster/cluster-nodes.js';
import { RootKey } from '../../sinks/redis/cluster/root-key.js';
import { SlotCalls } from '../../sinks/redis/cluster/slot-calls.js';
import { SlotLedger } from '../../sinks/redis/cluster/slot-ledger.js';
import { parseRedisUrl, ReplyError } from '../../src/kit/index.js';
import { ScriptedServer } from '../support/scripted-server.js';

const signal = new AbortController().signal;

it.each([
  [':0\r\n', 0],
  ['*1\r\n:5\r\n', [5]],
])(
  'what a master took right before its replica took over is told to the replica as well, in order: %j',
  async (reply, read) => {
    let owner = 0;
    const ports: number[] = [];
    const answer = (words: string[]): string => {
      const [name, , , key] = words;
      if (name === 'CLUSTER')
        return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${ports[owner]}\r\n`;
      if (name !== 'EVALSHA') return '+OK\r\n';
      if (owner === 1 || key === 'a') return reply;
      owner = 1;
      return `-MOVED 1 127.0.0.1:${ports[1]}\r\n`;
    };
    await using master = await ScriptedServer.open(answer);
    await using replica = await ScriptedServer.open(answer);
    for (const { url } of [master, replica]) ports.push(parseRedisUrl(url).port);
    const nodes = new ClusterNodes([parseRedisUrl(master.url)], 5_000);
    await nodes.refresh(signal);
    const calls = ['a', 'b'].map((key, slot) => ({ slot, words: ['sha', 1, key] }));
    expect(await new SlotCalls(nodes).callAll(calls, signal)).toEqual([read, read]);
    nodes.close();
    const told = ({ commands }: ScriptedServer): string[] =>
      commands.filter(([name]) => name === 'EVALSHA').map((words) => words[3]);
    expect([told(master), told(replica)]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  },
);

it('the slots are asked again where they stand when a call has no place even when it is followed', () => {
  const nodes = new ClusterNodes([parseRedisUrl('redis://127.0.0.1:1')], 5_000);
  const calls = new SlotCalls(nodes);
  const root = new RootKey('position', nodes, calls);
  const state = { epoch: 1, born: 1, position: null, witnesses: [], used: Buffer.alloc(0), cleared: [] };
  const slots = new ClaimedSlots({ nodes, calls, root }, new SlotLedger(state.used), {
    ...state,
    maxCallWords: 1_000,
  });
  expect(slots.refused(new ReplyError('MOVED 1 127.0.0.1:2')).kind).toBe('unknown');
  expect(slots.refused(new ReplyError('TRYAGAIN Multiple keys request during rehashing of slot')).kind).toBe(
    'retryable',
  );
});
