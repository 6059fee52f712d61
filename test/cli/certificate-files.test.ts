import { copyFileSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateFiles } from '../../src/cli/certificate-files.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const store = useServer('certificates', { engine: { sync: 'none' } });

describe('certificates that are replaced on disk', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  const file = (name: string): string => join(directory.path, name);
  const fixture = (name: string): string =>
    fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
  const ca = readFileSync(fixture('ca.pem'));

  beforeEach(() => {
    directory = throwAwayDirectory('certificates');
    copyFileSync(fixture('server.pem'), file('own.pem'));
    copyFileSync(fixture('server.key'), file('own.key'));
  });
  afterEach(() => directory.remove());

  it('are shown by a server that runs, once key and certificate belong together', async () => {
    const files = CertificateFiles.of({ tlsCert: file('own.pem'), tlsKey: file('own.key') });
    const server = await Server.listen(store.engine, { port: 0, tls: files?.tls });
    const said: string[] = [];
    const log = {
      ...pluginContext().log,
      info: (message: string) => void said.push(message),
      warn: (message: string) => void said.push(message),
    };
    using _watched = files?.watch(server, log, 20);
    const address = { host: '127.0.0.1', port: server.port };
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ ...address, ca });
        socket.once('error', reject);
        socket.once('secureConnect', () => {
          resolve(socket.getPeerCertificate().fingerprint256);
          socket.destroy();
        });
      });
    const connected = await RespConnection.open({ ...address, tls: { ca } });
    const first = await shown();
    copyFileSync(fixture('client.pem'), file('own.pem'));
    await waitUntil('it has seen that the key is still the old one', () =>
      said.includes('the new certificate cannot be used, the one before stays'),
    );
    expect(await shown()).toBe(first);
    copyFileSync(fixture('client.key'), file('own.key'));
    await waitUntil('it shows the new one', async () => (await shown()) !== first);
    expect(said.at(-1)).toContain('took the new certificate');
    expect(await connected.call('PING')).toBe('PONG');
    connected.close();
    await server.close();
  });

  it('are read by an address for each connection, and waited for while they are being replaced', async () => {
    const shown: string[] = [];
    const tls = { cert: readFileSync(fixture('server.pem')), key: readFileSync(fixture('server.key')), ca };
    const server = createServer({ ...tls, requestCert: true }, (socket: TLSSocket) => {
      shown.push(socket.getPeerCertificate().fingerprint256);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const files = `cacert=${fixture('ca.pem')}&cert=${file('own.pem')}&key=${file('own.key')}`;
    const address = parseRedisUrl(`rediss://127.0.0.1:${port}?${files}`);
    const visit = async (): Promise<void> => {
      const before = shown.length;
      const connection = await RespConnection.open(address);
      await waitUntil('the server has seen it', () => shown.length > before);
      connection.close();
    };
    await visit();
    copyFileSync(fixture('client.pem'), file('own.pem'));
    await expect(visit()).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('the key is of another one'),
      remedy: expect.stringContaining('each try reads them anew'),
    });
    copyFileSync(fixture('client.key'), file('own.key'));
    await visit();
    expect(new Set(shown).size).toBe(2);
    server.close();
  });
});
