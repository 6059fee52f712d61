import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { tagOfSlot } from '../../sinks/redis/cluster/slot-tag.js';
import { slotOf } from '../../src/kit/index.js';
import { ClusterStage, slotKey } from './cluster-stage.js';

const signal = new AbortController().signal;

describe('the slots of a cluster', () => {
  it('are those that Redis computes, tags in braces included', () => {
    expect(slotOf(Buffer.from('123456789'))).toBe(0x31c3);
    expect(slotOf(Buffer.from('foo'))).toBe(12_182);
    expect(slotOf(Buffer.from('{user1000}.following'))).toBe(slotOf(Buffer.from('user1000')));
    expect(slotOf(Buffer.from('foo{}{bar}'))).toBe(slotOf(Buffer.from('foo{}{bar}')));
    expect(slotOf(Buffer.from('foo{{bar}}zap'))).toBe(slotOf(Buffer.from('{bar')));
  });

  it('each have a tag, which never changes', () => {
    for (let slot = 0; slot < 16_384; slot += 97)
      expect(slotOf(Buffer.from(`a{${tagOfSlot(slot)}}`))).toBe(slot);
    expect([0, 1, 8191, 16_383].map(tagOfSlot)).toMatchInlineSnapshot(`
      [
        "1bz",
        "emj",
        "7ho",
        "hia",
      ]
    `);
  });
});

describe('the redis sink of a cluster whose slots move', () => {
  const cluster = new ClusterStage();
  const { source, open, find, masterOf } = cluster;

  /** Tells two masters that a slot goes from one to the other; returns the id of the one that gets it. */
  const beginMove = async (slot: number, from: Redis, to: Redis): Promise<string> => {
    const [fromId, toId] = [await from.cluster('MYID'), await to.cluster('MYID')].map(String);
    await to.cluster('SETSLOT', slot, 'IMPORTING', fromId);
    await from.cluster('SETSLOT', slot, 'MIGRATING', toId);
    return toId;
  };

  it('waits for a slot that is being moved, and follows it', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('RPUSH', 'moving', '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    const slot = slotOf(Buffer.from('moving'));
    const from = await masterOf(slot);
    const to = cluster.nodes.find((node) => node !== from) ?? from;
    const toId = await beginMove(slot, from, to);
    const port = cluster.ports[cluster.nodes.indexOf(to)] ?? 0;
    await from.migrate('127.0.0.1', port, 'moving', 0, 1000);
    source.run('RPUSH', 'moving', '2');
    source.run('RPUSH', 'staying', '2');
    const batch = await source.take();
    const refused = await sink.write(batch, claim, signal);
    expect(refused).toMatchObject({
      kind: 'retryable',
      error: { message: expect.stringMatching(/^(ASK|TRYAGAIN)/) },
    });
    expect(await (await find('staying')).llen('staying')).toBe(1);
    await from.migrate('127.0.0.1', port, slotKey(slot), 0, 1000);
    for (const node of cluster.nodes) await node.cluster('SETSLOT', slot, 'NODE', toId);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect(await to.lrange('moving', 0, -1)).toEqual(['1', '2']);
    expect(await (await find('staying')).llen('staying')).toBe(1);
    source.run('RPUSH', 'moving', '3');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    expect(await to.lrange('moving', 0, -1)).toEqual(['1', '2', '3']);
  });

  it('takes a slot that moves while it is used for the first time for no slot that was flushed', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'first', '1');
    const slot = slotOf(Buffer.from('first'));
    const from = await masterOf(slot);
    const [to] = cluster.nodes.filter((node) => node !== from);
    const toId = await beginMove(slot, from, to);
    const batch = await source.take();
    const refused = await sink.write(batch, claim, signal);
    expect(refused).toMatchObject({ kind: 'retryable', error: { message: expect.stringMatching(/^ASK/) } });
    for (const node of cluster.nodes) await node.cluster('SETSLOT', slot, 'NODE', toId);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect(await to.get('first')).toBe('1');
  });

  it('tries a claim again that meets a slot of which the nodes do not agree yet where it is', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const slot = 100;
    // Not the node that is asked who has which slot.
    const holders = cluster.nodes.slice(1);
    const ids = await Promise.all(cluster.nodes.map(async (node) => String(await node.cluster('MYID'))));
    for (const node of cluster.nodes) await node.cluster('SETSLOT', slot, 'NODE', ids[1]);
    source.run('SET', `{${tagOfSlot(slot)}}`, '1');
    const batch = await source.take();
    while ((await sink.write(batch, claim, signal)).kind === 'retryable');
    const port = cluster.ports[2];
    for (const key of await cluster.nodes[1].keys(`*{${tagOfSlot(slot)}}`)) {
      await cluster.nodes[2].cluster('SETSLOT', slot, 'IMPORTING', ids[1]);
      await cluster.nodes[1].cluster('SETSLOT', slot, 'MIGRATING', ids[2]);
      await cluster.nodes[1].migrate('127.0.0.1', port, key, 0, 1000);
    }
    for (const node of holders.reverse()) await node.cluster('SETSLOT', slot, 'NODE', ids[2]);
    const codes: string[] = [];
    const next = open();
    for (;;) {
      const found = await next.claim(signal).catch((error: { code: string }) => error);
      if ('epoch' in found) break;
      codes.push(found.code);
    }
    expect(new Set([...codes, 'SINK_UNREACHABLE'])).toEqual(new Set(['SINK_UNREACHABLE']));
  });

  it('claims a slot that is on its way when it has arrived', async () => {
    const sink = open();
    source.run('SET', 'on its way', '1');
    const batch = await source.take();
    expect(await sink.write(batch, await sink.claim(signal), signal)).toEqual({ kind: 'durable' });
    const slot = slotOf(Buffer.from('on its way'));
    const from = await masterOf(slot);
    const [to] = cluster.nodes.filter((node) => node !== from);
    const toId = await beginMove(slot, from, to);
    for (const key of await from.cluster('GETKEYSINSLOT', slot, 10))
      await from.migrate('127.0.0.1', cluster.ports[cluster.nodes.indexOf(to)], String(key), 0, 1000);
    const claiming = open().claim(signal);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const node of cluster.nodes) await node.cluster('SETSLOT', slot, 'NODE', toId);
    expect(await claiming).toMatchObject({ position: batch.position });
  });

  it('stays where it is when the slots that a master was written in last have moved to another', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    for (let i = 0; i < 50; i++) source.run('SET', `old ${i}`, '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    source.run('SET', 'new', '1');
    const last = await source.take();
    expect(await sink.write(last, claim, signal)).toEqual({ kind: 'durable' });
    const ids = await Promise.all(cluster.nodes.map(async (node) => String(await node.cluster('MYID'))));
    const slots = (await cluster.nodes[0].call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    for (const from of cluster.nodes.slice(1)) {
      const at = cluster.nodes.indexOf(from);
      const slot = slots.find(([, , [, port]]) => port === cluster.ports[at])?.[0] ?? 0;
      await cluster.nodes[0].cluster('SETSLOT', slot, 'IMPORTING', ids[at]);
      await from.cluster('SETSLOT', slot, 'MIGRATING', ids[0]);
      for (const key of await from.cluster('GETKEYSINSLOT', slot, 10))
        await from.migrate('127.0.0.1', cluster.ports[0], String(key), 0, 1000);
      for (const node of cluster.nodes) await node.cluster('SETSLOT', slot, 'NODE', ids[0]);
    }
    expect(await open().claim(signal)).toMatchObject({ position: last.position });
  });
});
