import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const store = useServer('administration', { engine: { sync: 'none' } });

const ask = async (...words: (string | number)[]): Promise<unknown> =>
  replyText(await store.client.call(...words));

describe('CLIENT', () => {
  it('lists clients with what they do, and kills those that a filter means', async () => {
    const [victim, bystander] = await Promise.all([
      RawClient.open(store.server.port),
      RawClient.open(store.server.port),
    ]);
    await victim.ask('CLIENT SETNAME victim\r\n', '+OK\r\n');
    await victim.ask('SET told v\r\n', '+OK\r\n');
    await victim.ask('CLIENT SETINFO lib-name raw\r\n', '+OK\r\n');
    await bystander.ask('SUBSCRIBE c\r\n', '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n');
    await bystander.ask('PSUBSCRIBE p*\r\n', '*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:2\r\n');
    const lines = String(await ask('CLIENT', 'LIST'))
      .trim()
      .split('\n');
    const line = lines.find((text) => text.includes('name=victim')) ?? '';
    expect(line).toMatch(
      /^id=\d+ addr=127\.0\.0\.1:\d+ laddr=.* idle=\d+ flags=N namespace=__namespace db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 obl=0 cmd=client resp=2 lib-name=raw/,
    );
    expect(lines.some((text) => text.includes('flags=P') && text.includes(' sub=1 psub=1 ssub=0 '))).toBe(
      true,
    );
    const id = /id=(\d+)/.exec(line)?.[1] ?? '';
    expect(
      String(await ask('CLIENT', 'LIST', 'ID', id))
        .trim()
        .split('\n'),
    ).toHaveLength(1);
    expect(
      String(await ask('CLIENT', 'LIST', 'TYPE', 'pubsub'))
        .trim()
        .split('\n'),
    ).toHaveLength(1);
    expect(await ask('CLIENT', 'KILL', 'TYPE', 'pubsub', 'ADDR', '1.2.3.4:5')).toBe(0);
    expect(await ask('CLIENT', 'KILL', 'ID', id)).toBe(1);
    await waitUntil('the victim is closed', () => victim.isClosed);
    expect(bystander.isClosed).toBe(false);
    expect(await ask('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(1);
    expect(await ask('CLIENT', 'KILL', 'ID', (await ask('CLIENT', 'ID')) as number)).toBe(0); // spares who asks
    expect(await ask('CLIENT', 'KILL', '1.2.3.4:5')).toBe('ERR No such client');
    expect(await ask('CLIENT', 'KILL', 'ID', 'x')).toBe('ERR client-id should be greater than 0');
    expect(await ask('CLIENT', 'KILL', 'TYPE', 'foo')).toBe("ERR Unknown client type 'foo'");
    expect(await ask('CLIENT', 'NOPE')).toBe("ERR unknown subcommand 'NOPE'. Try CLIENT HELP.");
  });

  it('pauses writes, or everything, until the time is over or the pause is ended', async () => {
    const other = await store.connect();
    expect(await ask('CLIENT', 'PAUSE', 60_000, 'WRITE')).toBe('OK');
    expect(await other.call('GET', 'paused')).toBeNull();
    const write = other.call('SET', 'paused', '1');
    const behind = other.call('GET', 'paused');
    const publisher = await store.connect();
    const publish = publisher.call('MPUBLISH', 'channel', 'message');
    await waitUntil('the writers wait', async () =>
      /blocked_clients:2/.test(String(await ask('INFO', 'clients'))),
    );
    expect(await ask('GET', 'paused')).toBeNull();
    expect(await ask('CLIENT', 'UNPAUSE')).toBe('OK');
    expect([await write, replyText(await behind), await publish]).toEqual(['OK', '1', 0]);
    expect(await ask('CLIENT', 'PAUSE', 30)).toBe('OK');
    expect(replyText(await other.call('GET', 'paused'))).toBe('1'); // after the 30 ms
    expect(await ask('CLIENT', 'PAUSE', 'x')).toBe('ERR timeout is not an integer or out of range');
    expect(await ask('CLIENT', 'PAUSE', 1, 'FOO')).toBe('ERR CLIENT PAUSE mode must be WRITE or ALL');
    // Of two pauses the longer time and the stricter mode hold.
    expect(await ask('CLIENT', 'PAUSE', 60_000)).toBe('OK');
    expect(await ask('CLIENT', 'PAUSE', 1, 'WRITE')).toBe('OK');
    let isAnswered = false;
    const read = other.call('GET', 'paused').finally(() => {
      isAnswered = true;
    });
    await delay(50);
    expect(isAnswered).toBe(false);
    expect(await ask('CLIENT', 'UNPAUSE')).toBe('OK');
    expect(replyText(await read)).toBe('1');
    other.close();
    publisher.close();
  });

  it('silences replies', async () => {
    const raw = await RawClient.open(store.server.port);
    raw.write(
      'CLIENT REPLY SKIP\r\nPING\r\nPING one\r\nCLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nCLIENT REPLY ON\r\nPING two\r\n',
    );
    const expected = '$3\r\none\r\n+OK\r\n$3\r\ntwo\r\n';
    expect((await raw.read(expected.length)).toString()).toBe(expected);
    raw.close();
  });

  it('silences the replies of commands that wait, for something or for the end of a pause', async () => {
    const raw = await RawClient.open(store.server.port);
    await raw.ask('CLIENT PAUSE 30\r\n', '+OK\r\n');
    expect(await raw.ask('CLIENT REPLY SKIP\r\nECHO paused\r\nPING one\r\n', '$3\r\none\r\n')).toContain(
      'one',
    );
    raw.write(
      'CLIENT REPLY SKIP\r\nBLPOP none 0.01\r\nPING one\r\nCLIENT REPLY OFF\r\nBLPOP none 0.01\r\nCLIENT REPLY ON\r\n',
    );
    const expected = '$3\r\none\r\n+OK\r\n';
    expect((await raw.read(expected.length)).toString()).toBe(expected);
    raw.close();
  });
});

describe('the server under watch', () => {
  it('shows commands to MONITOR, but no secrets', async () => {
    const watcher = await RawClient.open(store.server.port);
    await watcher.ask('MONITOR\r\n', '+OK\r\n');
    await ask('AUTH', 'not-to-be-seen');
    await ask('HELLO', 2, 'AUTH', 'default', 'not-to-be-seen');
    await ask('NAMESPACE', 'ADD', 'n', 'not-to-be-seen');
    await ask('CONFIG', 'GET', 'requirepass');
    await ask('SET', 'k', 'line\r\nend "quoted"');
    watcher.write('QUIT\r\n');
    const lines = (await watcher.readToEnd()).toString().split('\r\n');
    expect(lines[0]).toMatch(
      /^\+\d+\.\d{6} \[__namespace 127\.0\.0\.1:\d+\] "SET" "k" "line\\r\\nend \\"quoted\\""$/,
    );
    expect(lines[1]).toMatch(/"QUIT"$/);
  });

  it('shows the beginning of what is too long for a line of MONITOR', async () => {
    const watcher = await RawClient.open(store.server.port);
    await watcher.ask('MONITOR\r\n', '+OK\r\n');
    await ask('MGET', '\0'.repeat(1024 * 1024 + 9), 'k');
    await ask('MGET', ...Array.from({ length: 3_000 }, () => 'key'.repeat(200)));
    watcher.write('QUIT\r\n');
    const [bytes, names] = (await watcher.readToEnd()).toString().split('\r\n');
    expect(bytes).toMatch(/\\x00\\x00" \.\.\. \(\d+ more bytes\) \.\.\. \(1 more arguments\)$/);
    expect(names).toMatch(/"(key)+" \.\.\. \(\d+ more bytes\) \.\.\. \(\d+ more arguments\)$/);
  });

  it('keeps slow commands in SLOWLOG', async () => {
    expect(await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '3')).toBe('OK');
    await ask('SET', 'slow', 'x'.repeat(500));
    for (let i = 0; i < 5; i++) await ask('GET', 'slow');
    expect(await ask('SLOWLOG', 'LEN')).toBe(3);
    const [entry] = (await ask('SLOWLOG', 'GET', 1)) as unknown[][];
    expect(entry).toMatchObject({ 3: ['SLOWLOG', 'LEN'], 4: expect.stringMatching(/^127/) });
    expect(await ask('SLOWLOG', 'RESET')).toBe('OK');
    expect(await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '-1', 'slowlog-max-len', '128')).toBe('OK');
    expect(await ask('SLOWLOG', 'GET', 'x')).toBe('ERR count should be greater than or equal to -1');
  });

  it('changes live what can change, all of it or nothing', async () => {
    expect(await ask('CONFIG', 'SET', 'timeout', '7', 'maxclients', 'many')).toMatch(
      /^ERR CONFIG SET failed .*'maxclients'/,
    );
    expect(await ask('CONFIG', 'SET', 'timeout', '7', 'nope', '1')).toMatch(/^ERR Unknown option/);
    expect(await ask('CONFIG', 'GET', 'time*')).toEqual(['timeout', '0']);
    expect(await ask('CONFIG', 'SET', 'maxclients', '9007199254740991')).toMatch(/ may open no more files$/);
    expect(await ask('CONFIG', 'SET', 'port', '1')).toMatch(/immutable/);
    expect(await ask('CONFIG', 'SET', 'nope', '1')).toMatch(/^ERR Unknown option/);
    expect(await ask('CONFIG', 'SET', 'requirepass', 'new')).toBe('OK');
    const stranger = await RawClient.open(store.server.port);
    await stranger.ask('GET k\r\n', '-NOAUTH Authentication required.\r\n');
    expect(await stranger.ask('AUTH new\r\n', '+OK\r\n')).toBe('+OK\r\n');
    stranger.close();
    expect(await ask('CONFIG', 'SET', 'requirepass', '')).toBe('OK');
  });

  it('closes a client that has more to read than the limit which is set live', async () => {
    expect(await ask('CONFIG', 'SET', 'output-soft-limit-bytes', '1')).toMatch(/must be 65536 or more/);
    await ask('SET', 'large', 'x'.repeat(1_000_000));
    const limits = ['output-soft-limit-bytes', '16777216', 'output-hard-limit-bytes'];
    expect(await ask('CONFIG', 'SET', ...limits, '4000000')).toBe('OK');
    const greedy = await RawClient.open(store.server.port);
    greedy.socket.pause();
    greedy.write('GET large\r\n'.repeat(40));
    await waitUntil('it is closed', async () =>
      /client_output_buffer_limit_disconnections:1/.test(String(await ask('INFO', 'stats'))),
    );
    expect(await ask('CONFIG', 'SET', ...limits, '1073741824')).toBe('OK');
    greedy.close();
  });

  it('counts what goes over the wire', async () => {
    const bytes = async (name: string): Promise<number> =>
      Number(new RegExp(`total_net_${name}_bytes:(\\d+)`).exec(String(await ask('INFO', 'stats')))?.[1]);
    const before = [await bytes('input'), await bytes('output')];
    const client = await RawClient.open(store.server.port);
    await client.ask(`PING ${'x'.repeat(1000)}\r\n`, `$1000\r\n${'x'.repeat(1000)}\r\n`);
    client.close();
    await waitUntil('it has gone', async () =>
      /connected_clients:1\r/.test(String(await ask('INFO', 'clients'))),
    );
    expect((await bytes('input')) - (before[0] ?? 0)).toBeGreaterThan(1_000);
    expect((await bytes('output')) - (before[1] ?? 0)).toBeGreaterThan(1_000);
  });

  it('closes idle clients, but none that waits, subscribes, watches or follows', async () => {
    const idle = await RawClient.open(store.server.port);
    const busy = await Promise.all(
      ['BLPOP nothing 0', 'SUBSCRIBE c', 'MONITOR', 'STREAMUPDATES 0'].map(async (request) => {
        const client = await RawClient.open(store.server.port);
        client.write(`${request}\r\n`);
        return client;
      }),
    );
    expect(await ask('CONFIG', 'SET', 'timeout', '1')).toBe('OK');
    await waitUntil('the idle one is closed', async () => {
      await ask('PING');
      return idle.isClosed;
    });
    expect(busy.map(({ isClosed }) => isClosed)).toEqual([false, false, false, false]);
    expect(await ask('CONFIG', 'SET', 'timeout', '0')).toBe('OK');
    for (const client of busy) client.close();
  });

  it('tells commands and their keys', async () => {
    expect(await ask('COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2')).toEqual(['a', 'b']);
    expect(await ask('COMMAND', 'GETKEYS', 'XREAD', 'STREAMS', 's', 't', '0', '0')).toEqual(['s', 't']);
    expect(await ask('COMMAND', 'GETKEYS', 'SORT', 'l', 'BY', 'store', 'GET', '#', 'STORE', 'to')).toEqual([
      'l',
      'to',
    ]);
    expect(await ask('COMMAND', 'GETKEYS', 'GEORADIUS', 'g', 1, 2, 3, 'm', 'STOREDIST', 'to')).toEqual([
      'g',
      'to',
    ]);
    expect(await ask('COMMAND', 'GETKEYS', 'BLMOVE', 'a', 'b', 'LEFT', 'LEFT', 0)).toEqual(['a', 'b']);
    expect(await ask('COMMAND', 'GETKEYSANDFLAGS', 'LMOVE', 'a', 'b', 'LEFT', 'LEFT')).toEqual([
      ['a', ['RW', 'access', 'delete']],
      ['b', ['RW', 'insert']],
    ]);
    expect(await ask('COMMAND', 'GETKEYSANDFLAGS', 'SET', 'a', 'b', 'GET')).toEqual([
      ['a', ['RW', 'access', 'update']],
    ]);
    expect(await ask('COMMAND', 'GETKEYS', 'PING', 'x')).toBe('ERR The command has no key arguments');
    expect(await ask('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'bzpop*')).toEqual(['bzpopmin', 'bzpopmax']);
    const key = ['name', 'key', 'type', 'key'];
    expect(await ask('COMMAND', 'DOCS', 'hget', 'echo')).toEqual([
      'hget',
      [
        ...['summary', 'Reads a field', 'since', '2.0.0', 'group', 'hash', 'complexity', 'O(1)'],
        ...['arguments', [key, ['name', 'field', 'type', 'string']]],
      ],
      'echo',
      [
        ...['summary', 'Answers its argument', 'since', '1.0.0', 'group', 'connection', 'complexity', 'O(1)'],
        ...['arguments', [['name', 'message', 'type', 'string']]],
      ],
    ]);
    const [, zadd] = (await ask('COMMAND', 'DOCS', 'zadd')) as [string, unknown[]];
    expect(zadd.at(-1)).toEqual([
      key,
      [
        ...['name', 'nx-or-xx', 'type', 'oneof', 'flags', ['optional']],
        ...[
          'arguments',
          ['nx', 'xx'].map((name) => ['name', name, 'type', 'pure-token', 'token', name.toUpperCase()]),
        ],
      ],
      [
        ...['name', 'gt-or-lt', 'type', 'oneof', 'flags', ['optional']],
        ...[
          'arguments',
          ['gt', 'lt'].map((name) => ['name', name, 'type', 'pure-token', 'token', name.toUpperCase()]),
        ],
      ],
      ['name', 'ch', 'type', 'pure-token', 'token', 'CH', 'flags', ['optional']],
      ['name', 'incr', 'type', 'pure-token', 'token', 'INCR', 'flags', ['optional']],
      [
        ...['name', 'score', 'type', 'block', 'flags', ['multiple']],
        ...[
          'arguments',
          [
            ['name', 'score', 'type', 'double'],
            ['name', 'member', 'type', 'string'],
          ],
        ],
      ],
    ]);
    const [, del] = (await ask('COMMAND', 'DOCS', 'del')) as [string, unknown[]];
    expect(del.at(-1)).toEqual([[...key, 'flags', ['multiple']]]);
    const [, clients] = (await ask('COMMAND', 'DOCS', 'client')) as [string, unknown[]];
    expect(clients.at(-1)).toEqual(expect.arrayContaining(['client|list', 'client|kill']));
    const info = String(await ask('INFO'));
    for (const name of [
      'tailrace_version',
      'redis_version',
      'connected_clients',
      'used_memory',
      'cmdstat_set',
      'sequence',
      'used_cpu_user',
      'instantaneous_ops_per_sec',
      'used_db_size',
    ])
      expect(info).toContain(`${name}`);
  });
});

describe('what tools ask of any Redis', () => {
  it('is answered, or refused in clear words', async () => {
    await ask('SADD', 'asked', 'm');
    expect(await ask('OBJECT', 'ENCODING', 'asked')).toBe('hashtable');
    expect(await ask('OBJECT', 'ENCODING', 'nosuch')).toBeNull();
    for (const [value, encoding] of [
      ['-9223372036854775808', 'int'],
      ['9223372036854775808', 'embstr'],
      ['07', 'embstr'],
      ['x'.repeat(45), 'raw'],
    ] as const) {
      await ask('SET', 'asked:string', value);
      expect(await ask('OBJECT', 'ENCODING', 'asked:string')).toBe(encoding);
    }
    expect(await ask('ROLE')).toEqual(['master', expect.any(Number), []]);
    expect(await ask('WAIT', 1, 100)).toBe(0);
    expect(await ask('WAIT', 'x', 100)).toBe('ERR value is not an integer or out of range');
    expect(await ask('SHUTDOWN', 'NOSUCH')).toBe('ERR syntax error');
    expect(await ask('SHUTDOWN', 'ABORT')).toBe('ERR No shutdown in progress.');
    expect(await ask('REPLICAOF', 'NO', 'ONE')).toBe('OK');
    expect(await ask('REPLICAOF', 'localhost', 6379)).toMatch(/^ERR there is no replication/);
    expect(await ask('FAILOVER')).toMatch(/^ERR there is no replication/);
    expect(await ask('CONFIG', 'SET', 'notify-keyspace-events', '')).toBe('OK');
    expect(await ask('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')).toMatch(
      /there are no keyspace notifications/,
    );
    expect(await ask('BGSAVE')).toMatch(/^ERR what was answered is in the log already/);
    expect(await ask('CLIENT', 'TRACKING', 'OFF')).toBe('OK');
    expect(await ask('CLIENT', 'TRACKING', 'ON')).toBe('ERR client-side caching is not supported');
    expect(await ask('CLIENT', 'CACHING', 'YES')).toBe('ERR client-side caching is not supported');
    expect(await ask('CLIENT', 'LIST', 'ID', 'x')).toBe('ERR Invalid client ID');
    expect(await ask('CLIENT', 'PAUSE', -1)).toBe('ERR timeout is negative');
    expect(await ask('CONFIG', 'GET', 'maxmemory*')).toEqual([
      ...['maxmemory', '0', 'maxmemory-policy', 'noeviction'],
    ]);
    expect(await ask('CONFIG', 'SET', 'timeout', 0, 'timeout', 1)).toMatch(/ - duplicate parameter$/);
    expect(await ask('MEMORY', 'USAGE', 'asked', 'SAMPLES', 'x')).toBe('ERR syntax error');
    expect(await ask('MEMORY', 'PURGE')).toBe('OK');
    expect(await ask('MEMORY', 'MALLOC-STATS')).toMatch(/^old_space: \d+ bytes used of \d+ in memory$/m);
    expect(await ask('DISK', 'USAGE', 'asked')).toBe(await ask('MEMORY', 'USAGE', 'asked'));
    expect(await ask('OBJECT', 'HELP')).toContain('ENCODING key');
    expect(await ask('XINFO', 'HELP')).toContain('GROUPS key');
    expect(await ask('COMMAND', 'GETKEYS', 'MEMORY', 'USAGE', 'asked')).toEqual(['asked']);
    expect(await ask('MODULE', 'LIST')).toEqual([]);
    expect(await ask('ACL', 'WHOAMI')).toBe('default');
    expect(await ask('EVAL', 'return 1', 0)).toMatch(/^ERR Lua scripts and functions are not supported/);
    expect(await ask('CLUSTER', 'INFO')).toBe('ERR Cluster mode is not enabled');
    expect(await ask('HEXPIRE', 'h', 1, 'FIELDS', 1, 'f')).toMatch(/^ERR fields of a hash do not expire/);
    expect(await ask('FT.SEARCH', 'i', 'q')).toMatch(/^ERR there are no search indexes/);
    expect(await ask('TS.ADD', 't', 1, 1)).toMatch(/^ERR there are no time series/);
    expect(await ask('TDIGEST.CREATE', 't')).toMatch(/^ERR there are no t-digests/);
    expect(await ask('PERFLOG', 'GET', 1)).toMatch(/^ERR there is no RocksDB inside/);
    expect(await ask('PSYNC', 1)).toMatch(/^ERR there is no replication/);
    expect(await ask('MOVEX', 'asked', 'token')).toBe('ERR Forbidden to move key when requirepass is empty');
    expect(await ask('FLUSHMEMTABLE')).toBe('OK');
    expect(await ask('FLUSHMEMTABLE', 'ASYNC')).toBe('OK');
    expect(await ask('FLUSHMEMTABLE', 'x')).toBe('ERR syntax error');
    expect(await ask('COMMAND', 'GETKEYS', 'MSETEX', 2, 'a', 1, 'b', 2, 'NX')).toEqual(['a', 'b']);
    expect(await ask('SHUTDOWN')).toMatch(/^ERR the server is part of a program/);
  });

  it('stops a serve by SHUTDOWN, with everything kept', async () => {
    const ownDirectory = throwAwayDirectory('shutdown');
    const own = await Engine.open(ownDirectory.path);
    let isAsked = false;
    const stopped = await Server.listen(own, {
      port: 0,
      onShutdown: () => {
        isAsked = true;
      },
    });
    const client = await RespConnection.open({ host: '127.0.0.1', port: stopped.port });
    await client.call('SET', 'kept', '1');
    const closed = client.call('SHUTDOWN', 'NOSAVE').catch((error: unknown) => error);
    await waitUntil('the server was asked', () => isAsked);
    await stopped.close();
    expect(await closed).toBeInstanceOf(Error);
    await own.close();
    ownDirectory.remove();
  });
});
