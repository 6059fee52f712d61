import { expect, it } from 'vitest';
import { ServerConnection } from '../../src/migration/index.js';
import { parseRedisUrl } from '../../src/resp/index.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { waitUntil } from '../support/wait-until.js';

it.each([
  ['what it is asked first on a connection', (): undefined => undefined],
  ['a command', ([name]: string[]) => (name === 'GREET' ? '+OK\r\n' : undefined)],
] as const)('is given up when it is told to, although the server does not answer %s', async (_, answer) => {
  await using server = await ScriptedServer.open((words) => answer(words));
  const connection = new ServerConnection(parseRedisUrl(server.url), async (opened) => {
    await opened.call('GREET');
  });
  const stop = new AbortController();
  const asked = connection.call(stop.signal, 'GET', 'key');
  const last = answer(['GREET']) === undefined ? 'GREET' : 'GET';
  await waitUntil('it is asked', () => server.commands.some(([name]) => name === last));
  stop.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
  expect(connection.isOpen).toBe(false);
});

it('tells that it was told to stop, not that the server cannot be reached, while it connects', async () => {
  await using server = await ScriptedServer.open(() => undefined);
  const connection = new ServerConnection(parseRedisUrl(server.url.replace('redis://', 'redis://:secret@')));
  await expect(connection.call(AbortSignal.abort(new Error('enough')), 'PING')).rejects.toThrow(/^enough$/);
  const stop = new AbortController();
  const asked = connection.call(stop.signal, 'PING');
  await waitUntil('it is asked', () => server.commands.some(([name]) => name === 'AUTH'));
  stop.abort(new Error('enough'));
  await expect(asked).rejects.toThrow(/^enough$/);
});
