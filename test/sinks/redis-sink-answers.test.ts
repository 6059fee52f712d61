import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { RedisClusterSink, RedisSink, type RedisSinkOptions } from '../../sinks/redis/index.js';
import { startRedis, startRedisCluster } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { TestRedis } from '../support/test-redis.js';
import { TestSource } from '../support/test-source.js';

const signal = new AbortController().signal;

/** What a Redis without the key answers to a claim. */
class ClaimAnswers {
  #owner: string | undefined;
  #isClaimed = false;

  /** Undefined for what is no part of a claim. */
  answer(words: readonly string[]): string | undefined {
    if (words[0] === 'HSET' && words[2] === 'owner') this.#owner = words[3];
    if (words[0] === 'HMGET') {
      const owner = this.#owner === undefined ? '$-1\r\n' : `$${this.#owner.length}\r\n${this.#owner}\r\n`;
      return `*7\r\n$1\r\n${this.#isClaimed ? 1 : 0}\r\n${'$-1\r\n'.repeat(5)}${owner}`;
    }
    if (words[0] !== 'EXEC' || this.#isClaimed) return undefined;
    this.#isClaimed = true;
    return '*2\r\n:1\r\n:1\r\n';
  }
}

describe('the redis sink', () => {
  const redis = new TestRedis(['--appendonly', 'yes']);
  const source = new TestSource();

  const open = (options: Partial<RedisSinkOptions> = {}): RedisSink => {
    const defaults = { url: redis.url, password: '', positionKey: 'position', namespaces: { default: '' } };
    return source.own(new RedisSink({ ...defaults, ...options }, pluginContext()));
  };

  const inDatabase = async <Result>(
    database: number,
    work: (client: Redis) => Promise<Result>,
  ): Promise<Result> => {
    const client = new Redis(redis.port, { db: database });
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  };

  it('puts namespaces into databases of their own, the position beside them', async () => {
    const sink = open({ namespaces: { default: '', orders: 3, carts: 'carts:', users: 4 } });
    const claim = await sink.claim(signal);
    const [orders, carts, users] = ['orders', 'carts', 'users'].map(
      (ns) => new CommandRunner(source.engine, ns),
    );
    for (let i = 0; i < 20; i++) {
      source.run('SET', `k${i}`, 'default');
      orders.run('RPUSH', `k${i}`, 'o', 'o');
      carts.run('HSET', `k${i}`, 'f', 'c');
      if (i % 3 === 0) users.run('SADD', `k${i}`, 'u');
    }
    const batch = await source.take();
    expect(await sink.write(batch, claim)).toEqual({ kind: 'durable' });
    expect(await redis.client.dbsize()).toBe(41);
    expect(await redis.client.hget('carts:k7', 'f')).toBe('c');
    expect(await inDatabase(3, (client) => client.lrange('k7', 0, -1))).toEqual(['o', 'o']);
    expect(await inDatabase(4, (client) => client.dbsize())).toBe(7);
    expect((await open().claim(signal)).position).toEqual(batch.position);

    const again = open({ namespaces: { default: '', orders: 3, carts: 'carts:', users: 4 } });
    const taken = await again.claim(signal);
    orders.run('FLUSHDB');
    orders.run('SET', 'only', '1');
    expect(await again.write(await source.take(), taken)).toEqual({ kind: 'durable' });
    expect(await inDatabase(3, (client) => client.keys('*'))).toEqual(['only']);
    expect(await redis.client.dbsize()).toBe(41);
    orders.run('FLUSHALL');
    const last = await source.take();
    expect(await again.write(last, taken)).toEqual({ kind: 'durable' });
    expect(await redis.client.keys('*')).toEqual(['position']);
    expect(await inDatabase(4, (client) => client.dbsize())).toBe(0);
    expect((await open().claim(signal)).position).toEqual(last.position);
  });

  it('rejects a value that is too large for the target, in whichever database, and takes the rest', async () => {
    const small = await startRedis(['--proto-max-bulk-len', '1mb']);
    try {
      for (const orders of ['orders:', 3]) {
        const positionKey = `position of ${orders}`;
        const sink = open({ url: small.url, positionKey, namespaces: { default: '', orders } });
        const claim = await sink.claim(signal);
        const start = source.engine.sequence;
        source.run('SET', 'a', '1');
        new CommandRunner(source.engine, 'orders').run(
          'HSET',
          `h${orders}`,
          'f',
          Buffer.alloc(1024 * 1024 + 1),
          'g',
          '2',
        );
        source.run('SET', 'b', Buffer.alloc(1024 * 1024 + 1));
        source.run('SET', 'c', Buffer.alloc(1024 * 1024));
        const batch = { ...(await source.take()), previous: claim.position };
        const large = batch.transactions[1].changes.findIndex(
          (change) => 'field' in change && `${change.field}` === 'f',
        );
        const outcome = await sink.write(batch, claim);
        expect(outcome).toMatchObject({
          kind: 'poison',
          rejections: [
            { transaction: 1, change: large, reason: expect.stringContaining('1048576 bytes') },
            { transaction: 2, change: 0 },
          ],
        });
        const transactions = batch.transactions.map((transaction, at) => ({
          ...transaction,
          changes: transaction.changes.filter((_, change) => at % 3 === 0 || (at === 1 && change !== large)),
        }));
        expect(await sink.write({ ...batch, transactions }, claim)).toEqual({ kind: 'durable' });
        expect(batch.position.sequence).toBeGreaterThan(start);
      }
      const client = new Redis(small.port);
      expect(await client.mget('a', 'b')).toEqual(['1', null]);
      expect(await client.strlen('c')).toBe(1024 * 1024);
      expect(await client.hgetall('orders:horders:')).toEqual({ g: '2' });
      await client.select(3);
      expect(await client.hgetall('h3')).toEqual({ g: '2' });
      client.disconnect();
    } finally {
      await small.stop();
    }
  });

  it('names the change behind a command that was refused in another database', async () => {
    const bare = await startRedis(['--rename-command', 'ZADD', '']);
    try {
      const sink = open({ url: bare.url, namespaces: { default: '', orders: 3 } });
      const claim = await sink.claim(signal);
      const orders = new CommandRunner(source.engine, 'orders');
      source.run('SET', 'a', '1');
      orders.run('SET', 'a', '1');
      orders.run('ZADD', 'z', '1', 'm', '2', 'n');
      new CommandRunner(source.engine, 'unknown').run('SET', 'a', '1');
      const batch = await source.take();
      const known = { ...batch, transactions: batch.transactions.slice(0, 3) };
      expect(await sink.write(batch, claim)).toMatchObject({
        kind: 'poison',
        rejections: [{ transaction: 3 }],
      });
      expect(await sink.write(known, claim)).toMatchObject({
        kind: 'poison',
        rejections: [1, 2].map((change) => ({ transaction: 2, change })),
      });
      const taken = { ...batch, transactions: batch.transactions.slice(0, 2) };
      expect(await sink.write(taken, claim)).toEqual({ kind: 'durable' });
    } finally {
      await bare.stop();
    }
  });

  it('refuses targets that cannot be: a database that is not there, two namespaces in one place', async () => {
    await expect(open({ namespaces: { default: 99 } }).claim(signal)).rejects.toMatchObject({
      code: 'SINK_REFUSED',
    });
    expect(() => open({ namespaces: { a: '', b: '' } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(() => open({ namespaces: { a: 2, b: 2 } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  it.each([
    ['OOM command not allowed when used memory > maxmemory.', 'retryable', 'maxmemory'],
    ['MISCONF Redis is configured to save RDB snapshots, but it is unable to.', 'retryable', 'room'],
    ['NOREPLICAS Not enough good replicas to write.', 'retryable', 'replicas'],
    ['BUSY Redis is busy running a script.', 'retryable', 'SCRIPT KILL'],
    ['NOPERM this user has no permissions to run this command', 'fatal', 'rights'],
    ['NOAUTH Authentication required.', 'fatal', 'password'],
    ['READONLY You can not write against a read only replica.', 'unknown', ''],
    ['LOADING Redis is loading the dataset in memory', 'unknown', ''],
    ['MASTERDOWN Link with MASTER is down', 'unknown', ''],
  ])('answers %s with %s, and says what helps', async (text, kind, remedy) => {
    const answers: Readonly<Record<string, string>> = {
      EVAL: '$1\r\n0\r\n',
      SET: `-${text}\r\n`,
      EXEC: '-EXECABORT Transaction discarded because of previous errors.\r\n',
    };
    const claiming = new ClaimAnswers();
    await using server = await ScriptedServer.open(
      (words) => claiming.answer(words) ?? answers[words[0]] ?? '+OK\r\n',
    );
    const sink = open({ url: server.url });
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    const outcome = await sink.write(await source.take(), claim);
    expect(outcome.kind).toBe(kind);
    if (outcome.kind === 'retryable' || outcome.kind === 'fatal')
      expect(outcome.error).toMatchObject({ remedy: expect.stringContaining(remedy) });
    // A claim that is answered so is tried again, too, unless it is refused for good.
    await using other = await ScriptedServer.open((words) =>
      words[0] === 'HINCRBY' ? `-${text}\r\n` : (claiming.answer(words) ?? answers[words[0]] ?? '+OK\r\n'),
    );
    await expect(open({ url: other.url }).claim(signal)).rejects.toMatchObject({
      code: kind === 'fatal' ? 'SINK_REFUSED' : 'SINK_UNREACHABLE',
      remedy: expect.stringContaining(remedy),
    });
  });

  it('does not take a server that is busy for one that lacks a database', async () => {
    await using server = await ScriptedServer.open(([name]) =>
      name === 'SELECT' ? '-BUSY Redis is busy running a script.\r\n' : '+OK\r\n',
    );
    const sink = open({ url: server.url, namespaces: { default: 3 } });
    await expect(sink.claim(signal)).rejects.toMatchObject({
      code: 'SINK_UNREACHABLE',
      remedy: expect.stringContaining('SCRIPT KILL'),
    });
  });

  it('gives up a server that is silent for too long', async () => {
    const claiming = new ClaimAnswers();
    await using server = await ScriptedServer.open(
      (words) => claiming.answer(words) ?? (words[0] === 'EXEC' ? undefined : '+OK\r\n'),
    );
    const sink = open({ url: server.url, answerTimeout: 1_000 });
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    expect(await sink.write(await source.take(), claim)).toMatchObject({
      kind: 'unknown',
      error: { message: expect.stringContaining('no answer within 1000 ms') },
    });
  });

  it('checks a target without claiming it', async () => {
    const sink = open();
    expect(await sink.check(signal)).toMatchObject([
      { name: 'connection', status: 'ok' },
      { name: 'version', status: 'ok' },
      { name: 'position', status: 'ok', detail: expect.stringContaining('free') },
    ]);
    expect(await redis.client.dbsize()).toBe(0);
    // As a start would end with SINK_FAILED.
    await redis.client.hset('position', {
      epoch: 1,
      sequence: 7,
      count: 1,
      crc: 1,
      failed: 2,
      failure: 'put hash',
    });
    expect((await sink.check(signal)).at(-1)).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(/^2 of the commands up to sequence number 7 failed .*: put hash$/),
      remedy: expect.stringContaining('HDEL position failed'),
    });
    await redis.client.del('position');
    await redis.client.replicaof('127.0.0.1', '1');
    await redis.client.config('SET', 'maxmemory', '1gb');
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      const failing = (await sink.check(signal)).filter(({ status }) => status !== 'ok');
      expect(failing).toMatchObject([
        { name: 'role', status: 'fail' },
        { name: 'eviction', status: 'warn' },
      ]);
    } finally {
      await redis.client.replicaof('NO', 'ONE');
      await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
      await redis.client.config('SET', 'maxmemory', '0');
    }
    expect(await open({ url: 'redis://127.0.0.1:1' }).check(signal)).toMatchObject([
      { name: 'connection', status: 'fail', remedy: expect.stringContaining('address') },
    ]);
    expect(await open({ namespaces: { default: 99 } }).check(signal)).toContainEqual(
      expect.objectContaining({ status: 'fail', detail: expect.stringContaining('database 99') }),
    );
  });

  it('is told by the check which right a claim lacks, and not held up by the lack of INFO', async () => {
    const place = redis.url.replace('redis://', '');
    const checked = async (...rights: string[]) => {
      await redis.client.acl('SETUSER', 'limited', 'reset', 'on', '>secret', '~*', '+@all', ...rights);
      return await open({ url: `redis://limited:secret@${place}` }).check(signal);
    };
    try {
      for (const command of ['watch', 'multi', 'hincrby'])
        expect(await checked(`-${command}`)).toMatchObject([
          { name: 'permissions', status: 'fail', detail: expect.stringContaining(`'${command}'`) },
        ]);
      expect(await checked('-info')).toMatchObject([
        { name: 'connection', status: 'ok' },
        { name: 'version', status: 'warn', detail: expect.stringContaining(`'info'`) },
        { name: 'position', status: 'ok' },
      ]);
      expect(await redis.client.dbsize()).toBe(0);
    } finally {
      await redis.client.acl('DELUSER', 'limited');
    }
  });

  it.each(['WATCH', 'EXEC'])('ends at once where there is no %s', async (command) => {
    const bare = await startRedis(['--rename-command', command, '']);
    try {
      await expect(open({ url: bare.url }).claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
    } finally {
      await bare.stop();
    }
  });

  it('says that a node of a cluster wants a cluster, which has no database numbers', async () => {
    const cluster = await startRedisCluster();
    try {
      const url = `redis://127.0.0.1:${cluster.ports[0]}`;
      const failures = await Promise.all(
        ['a', 'b', 'c', 'd'].map((key) =>
          open({ url, positionKey: key })
            .claim(signal)
            .then(
              () => undefined,
              (error: unknown) => error,
            ),
        ),
      );
      expect(failures).toContainEqual(
        expect.objectContaining({ code: 'SINK_REFUSED', remedy: expect.stringContaining('cluster: true') }),
      );
      const options = { urls: [url], password: '', positionKey: 'p', namespaces: { default: '' } };
      await using sink = new RedisClusterSink(options, pluginContext());
      const findings = await sink.check(signal);
      expect(findings).toMatchObject([
        { status: 'ok', detail: expect.stringContaining('3 masters') },
        { name: 'position', status: 'ok', detail: 'p is free' },
      ]);
      const numbered = { ...options, namespaces: { default: 2 } };
      expect(() => new RedisClusterSink(numbered, pluginContext())).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
    } finally {
      await cluster.stop();
    }
  });
});
