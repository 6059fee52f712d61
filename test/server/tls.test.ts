import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { RawClient } from '../support/raw-client.js';
import { runProgram } from '../support/run-program.js';
import { useServer } from '../support/use-server.js';

const store = useServer('tls', { engine: { sync: 'none' } });

describe('a server with TLS', () => {
  const pem = (name: string): Buffer =>
    readFileSync(fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url)));

  it('serves redis-cli and demands certificates of clients where it is told to', async () => {
    const tls = { cert: pem('server.pem'), key: pem('server.key') };
    const open = await Server.listen(store.engine, { port: 0, tls });
    const mutual = await Server.listen(store.engine, { port: 0, tls: { ...tls, ca: pem('ca.pem') } });
    const file = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
    const shown = ['--cert', file('client.pem'), '--key', file('client.key')];
    for (const [port, words, reply] of [
      [open.port, [], 'PONG\n'],
      [mutual.port, shown, 'PONG\n'],
      [mutual.port, [], ''],
    ] as const) {
      const run = await runProgram('redis-cli', [
        '--tls',
        '--cacert',
        file('ca.pem'),
        ...words,
        '-p',
        `${port}`,
        'PING',
      ]);
      expect(run.stdout).toBe(reply);
    }
    // Neither garbage nor a client without TLS disturbs it.
    const raw = await RawClient.open(open.port);
    raw.write('PING\r\n');
    await raw.readToEnd();
    const client = await RespConnection.open({
      host: '127.0.0.1',
      port: open.port,
      tls: { ca: pem('ca.pem') },
    });
    expect(await client.call('SET', 'by-tls', 'x'.repeat(1_000_000))).toBe('OK');
    expect(((await client.call('GET', 'by-tls')) as Buffer).length).toBe(1_000_000);
    client.close();
    const address = `rediss://127.0.0.1:${mutual.port}?cacert=${file('ca.pem')}`;
    const named = await RespConnection.open(
      parseRedisUrl(`${address}&cert=${file('client.pem')}&key=${file('client.key')}`),
    );
    expect(await named.call('PING')).toBe('PONG');
    named.close();
    const nameless = await RespConnection.open(parseRedisUrl(address));
    await expect(nameless.call('PING')).rejects.toThrow('it demands a certificate of its clients');
    const refused = connectTls({ port: mutual.port, host: '127.0.0.1', ca: pem('ca.pem') });
    await new Promise<void>((resolve) =>
      refused.once('error', () => resolve()).once('close', () => resolve()),
    );
    await open.close();
    await mutual.close();
  });

  it('refuses what is no certificate', async () => {
    const tls = { cert: 'nonsense', key: 'nonsense' };
    await expect(Server.listen(store.engine, { port: 0, tls })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
