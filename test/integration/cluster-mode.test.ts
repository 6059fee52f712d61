import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { KvrocksDirectory } from '../support/kvrocks-directory.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { runTailrace } from '../support/tailrace-program.js';
import { useServer } from '../support/use-server.js';

/** What a Kvrocks in cluster mode logged; its keys carry their slots. */
const log = fileURLToPath(new URL('../fixtures/kvrocks/cluster-mode', import.meta.url));
const directory = throwAwayDirectory('cluster-mode');
const store = useServer('cluster-mode-target');
afterAll(() => directory.remove());

const runFile = async (name: string, sinks: string): ReturnType<typeof runTailrace> => {
  const file = join(directory.path, `${name}.yaml`);
  const source = `  connector: wal\n  path: ${JSON.stringify(log)}\n  follow: false`;
  writeFileSync(file, `name: ${name}\nsource:\n${source}\nsinks:\n${sinks}`);
  return runTailrace('run', file);
};

const fileSink = (name: string): string => `  - sink: file\n    name: ${name}\n    path: ${pathOf(name)}\n`;
const pathOf = (name: string): string => join(directory.path, `${name}.ndjson`);

describe('a Kvrocks in cluster mode', () => {
  it('has its keys told without their slots', async () => {
    const { stdout, status } = await runTailrace('tail', log, '--once');
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(0, 7).map((line) => line.replace(/^\d+ +/, ''))).toEqual([
      'put string  "user:1"  value="ada"',
      'delete key  "order:1"',
      'put hash  "order:1"  field="total"  value="42"',
      'put hash  "order:1"  field="user"  value="ada"',
      'delete key  "queue"',
      'push list  "queue"  value="a"  side=tail',
      'push list  "queue"  value="b"  side=tail',
    ]);
    expect(lines.at(-1)).toContain('put string  "{order:1}note"  value="paid"');
  });

  it('reaches several sinks, each by a cursor of its own', async () => {
    const { status, stderr } = await runFile('several', fileSink('one') + fileSink('two'));
    expect(status, stderr).toBe(0);
    for (const name of ['one', 'two']) {
      const events = readFileSync(pathOf(name), 'utf8').trim().split('\n');
      const keys = events.map((line) => String(JSON.parse(line).key));
      expect(new Set(keys)).toEqual(
        new Set(['user:1', 'order:1', 'queue', 'tags', 'board', 'events', 'seen', '{order:1}note']),
      );
    }
  });

  it('is refused where its batches would be applied to a store without slots', async () => {
    const { status, stderr } = await runFile(
      'refused',
      `  - sink: kvrocks\n    url: redis://127.0.0.1:${store.server.port}\n    name: store\n`,
    );
    expect(status).toBe(1);
    expect(stderr).toContain('sink store cannot take batches of a store in cluster mode');
  });

  it('is refused as a directory of keys, with the way that there is', async () => {
    const data = new KvrocksDirectory(join(directory.path, 'data'));
    data.addLog(readFileSync(join(log, '000010.log')));
    const words = ['--from', `dir:${data.path}`, '--to', `redis://127.0.0.1:${store.server.port}`];
    const { status, stderr } = await runTailrace('migrate', ...words);
    expect(status).not.toBe(0);
    expect(stderr).toContain('is of a Kvrocks in cluster mode');
  });

  it.each([
    [true, '1'],
    [false, '0'],
  ])('is known by what it answers: %s', async (hasSlots, mode) => {
    const info = `# Cluster\r\ncluster_enabled:${mode}\r\n`;
    await using server = await ScriptedServer.open(([name]) =>
      name === 'INFO' ? `$${info.length}\r\n${info}\r\n` : '-ERR unknown command\r\n',
    );
    await using source = new KvrocksSource(
      {
        ...{ url: server.url, password: '', pollBatches: 2, idlePollMs: 5 },
        ...{ answerTimeoutMs: 10_000, giveUpAfterMs: 0 },
      },
      pluginContext(),
    );
    await source.open({ kind: 'beginning' }, new AbortController().signal);
    expect(source.hasSlots).toBe(hasSlots);
  });
});
