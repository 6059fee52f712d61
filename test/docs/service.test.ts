import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { freePort, throwAwayDirectory } from '../services/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('the process that the unit for systemd starts is the one that takes the signal of a stop', async () => {
  const directory = throwAwayDirectory('service');
  try {
    await (await Engine.open(join(directory.path, 'store'))).close();
    const file = join(directory.path, 'orders.yaml');
    writeFileSync(
      file,
      'name: unit\nsource: { connector: wal, path: ./store }\nsinks: [{ sink: file, path: ./out.ndjson }]\n',
    );
    const unit = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    const [command, ...parameters] = (/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '')
      .replace('/usr/bin/node', process.execPath)
      .replace('/opt/tailrace/node_modules/tailrace/', root)
      .replace('/etc/tailrace/orders.yaml', file)
      .replace('127.0.0.1:9464', `127.0.0.1:${await freePort()}`)
      .split(' ');
    const service = spawn(command ?? '', parameters, { cwd: directory.path });
    let log = '';
    service.stderr.on('data', (text) => {
      log += text;
      if (log.includes('pipeline started')) service.kill('SIGTERM'); // to this process alone, as KillMode=mixed has it
    });
    expect([...(await once(service, 'close')), log]).toEqual([
      0,
      null,
      expect.stringContaining('pipeline stopped'),
    ]);
  } finally {
    directory.remove();
  }
});
