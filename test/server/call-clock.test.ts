import { describe, expect, it } from 'vitest';
import { CallClock } from '../../src/server/call-clock.js';
import { CommandTable, type TableEntry } from '../../src/server/command-table.js';

const never = -1;

describe('the clock of calls', () => {
  const table = new CommandTable();
  const entryOf = (name: string): TableEntry => {
    const entry = table.find(Buffer.from(name));
    if (entry === undefined) throw new Error(`no command ${name}`);
    return entry;
  };
  const call = (clock: CallClock, entry: TableEntry, slowMicroseconds: number): number => {
    clock.begins(entry);
    const startMs = performance.now();
    while (performance.now() === startMs); // a call takes time, however coarse the clock
    return clock.ended(entry, slowMicroseconds);
  };

  it('counts every call, and times quick ones together, none left out at the rest', () => {
    const [get, keys] = [entryOf('get'), entryOf('keys')];
    const clock = new CallClock();
    clock.start();
    for (let i = 0; i < 5; i++) expect(call(clock, get, never)).toBe(0);
    expect(get).toMatchObject({ calls: 5, microseconds: 0 });
    expect(call(clock, keys, never)).toBeGreaterThan(0);
    const spent = get.microseconds;
    expect(spent).toBeGreaterThan(0);
    call(clock, get, never);
    clock.stop();
    expect(get.calls).toBe(6);
    expect(get.microseconds).toBeGreaterThan(spent);
    expect(keys.calls).toBe(1);
  });

  it('times each call where the slow log asks for less than a millisecond', () => {
    const set = entryOf('set');
    const clock = new CallClock();
    clock.start();
    for (let i = 0; i < 5; i++) expect(call(clock, set, 0)).toBeGreaterThan(0);
  });
});
