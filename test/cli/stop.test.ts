import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HttpReceiver } from '../support/http-receiver.js';
import { waitUntil } from '../support/wait-until.js';
import { exitOf, ProgramFolder } from './program-folder.js';

const { path, write, start, fillStore } = new ProgramFolder('stop');

describe('a process that is told to stop', () => {
  it('ends within the time for draining at SIGTERM although a target does not answer, and says so', async () => {
    await fillStore('stuck', 3);
    await using receiver = await HttpReceiver.open();
    receiver.answer = () => undefined;
    const file = write(
      'stuck.yaml',
      `name: stuck\nsource: { connector: wal, path: ${path('stuck')} }\ndrainTimeout: 1500ms
sinks: [{ sink: webhook, url: "${receiver.url}", timeout: 10m }]\noffsets: { path: ${path('offsets')} }\n`,
    );
    const { child, log } = start('run', file);
    await waitUntil('it waits for an answer', () => receiver.requests.length > 0);
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(log()).toMatch(/stopping: what is in flight is delivered first.* atMostMs=1500/);
    expect(log()).toContain('could not deliver what was in flight within 1500 ms');
  });

  it('ends within that time although a source neither answers nor listens, and holds on to what it has', async () => {
    write(
      'deaf.mjs',
      `const open = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));
const create = () => ({ open, [Symbol.asyncDispose]: open });
export const source = { name: 'deaf', summary: 'deaf', schema: {}, create };\n`,
    );
    const file = write(
      'deaf.yaml',
      `name: deaf\nsource: { connector: ./deaf.mjs }\ndrainTimeout: 100ms\nsinks: [{ sink: file, path: ${path('deaf.ndjson')} }]\n`,
    );
    const { child, log } = start('run', file);
    await waitUntil('the sink is claimed', () => existsSync(path('deaf.ndjson')));
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(log()).toContain(
      'the source of pipeline deaf has not answered within 100 ms of being told to end',
    );
  });

  it('ends within that time although a sink does not close, and names it', async () => {
    write(
      'open.mjs',
      `const forever = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));
const create = () => ({
  guarantee: 'at-least-once', holdsPosition: true, [Symbol.asyncDispose]: forever,
  claim: async () => ({ epoch: 1, position: null }), write: async () => ({ kind: 'durable' }),
});
export const sink = { name: 'open', summary: 'open', schema: {}, create };\n`,
    );
    await fillStore('closed', 3);
    const file = write(
      'open.yaml',
      `name: ajar\nsource: { connector: wal, path: ${path('closed')} }\ndrainTimeout: 300ms\nsinks: [{ sink: ./open.mjs, name: door }]\n`,
    );
    const { child, log } = start('run', file);
    await waitUntil('it runs', () => log().includes('pipeline started'));
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(log()).toContain('sink door of pipeline ajar does not close within 300 ms');
  });
});
