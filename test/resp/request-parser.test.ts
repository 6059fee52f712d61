import process from 'node:process';
import { expect, it } from 'vitest';
import { ArgumentViews, RequestParser } from '../../src/resp/index.js';
import { SeededRandom } from '../support/seeded-random.js';

const encoded = (commands: readonly (readonly Buffer[])[]): Buffer =>
  Buffer.concat(
    commands.flatMap((args) => [
      Buffer.from(`*${args.length}\r\n`),
      ...args.flatMap((arg) => [Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n')]),
    ]),
  );

it('reads every command as it was sent, wherever the chunks end, though all of them come in the same memory', () => {
  const random = SeededRandom.fromEnvironment('requests');
  const parser = new RequestParser();
  const memory = Buffer.alloc(64 * 1024);
  const words = ['SET', 'set', 'GET', 'HSET', 'x'.repeat(40)];
  for (let round = 0; round < 200; round++) {
    const sent: Buffer[][] = Array.from({ length: 1 + random.below(20) }, () => {
      const name = random.next() < 0.5 ? Buffer.from(random.pick(words)) : random.bytes(random.below(5));
      return [name, ...Array.from({ length: random.below(4) }, () => random.bytes(random.below(50)))];
    });
    const bytes = encoded(sent);
    const received: Buffer[][] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + random.below(random.next() < 0.5 ? 10 : bytes.length);
      const length = bytes.copy(memory, 0, at, end);
      parser.feed(memory.subarray(0, length));
      while (parser.next()) received.push(parser.args.map((arg) => Buffer.from(arg)));
      parser.keep();
      memory.fill('x');
      at = end;
    }
    expect(received).toEqual(sent);
  }
  expect(parser.error).toBeUndefined();
});

it('reads commands of one shape as they were sent, though it gives them the views of those before', () => {
  const random = SeededRandom.fromEnvironment('requests of one shape');
  const memory = Buffer.alloc(64 * 1024);
  const views = new ArgumentViews(memory);
  const parsers = [new RequestParser(), new RequestParser()];
  const given = new Set<Buffer>();
  for (let round = 0; round < 80; round++) {
    const lengths = random.next() < 0.8 ? [12, 100] : [random.below(50), random.below(200)];
    const sent = Array.from({ length: 16 }, () => [
      Buffer.from('SET'),
      ...lengths.map((length) => random.bytes(length)),
    ]);
    const bytes = encoded(sent);
    const parser = random.pick(parsers);
    const received: Buffer[][] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + (random.next() < 0.8 ? bytes.length : 1 + random.below(bytes.length));
      const length = bytes.copy(memory, 0, at, end);
      parser.feed(views.of(0, length), views);
      while (parser.next()) {
        received.push(parser.args.map((arg) => Buffer.from(arg)));
        for (const arg of parser.args) given.add(arg);
      }
      parser.keep();
      memory.fill('x');
      at = end;
    }
    expect(received).toEqual(sent);
  }
  expect(given.size).toBeLessThan(80 * 16);
});

it('reads long arguments that come in pieces, with what is behind them', () => {
  const random = SeededRandom.fromEnvironment('long requests');
  const parser = new RequestParser();
  const memory = Buffer.alloc(64 * 1024);
  for (let round = 0; round < 10; round++) {
    const sent: Buffer[][] = Array.from({ length: 1 + random.below(4) }, () => [
      Buffer.from('MSET'),
      ...Array.from({ length: 1 + random.below(3) }, () => random.bytes(random.below(300_000))),
    ]);
    const bytes = encoded(sent);
    const received: Buffer[][] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.copy(memory, 0, at, at + 1 + random.below(memory.length));
      parser.feed(memory.subarray(0, length));
      while (parser.next()) received.push(parser.args.map((arg) => Buffer.from(arg)));
      parser.keep();
      memory.fill('x');
      at += length;
    }
    // Not toEqual, which takes seconds for megabytes.
    expect(Buffer.concat(received.flat()).equals(Buffer.concat(sent.flat()))).toBe(true);
    expect(received.map((args) => args.length)).toEqual(sent.map((args) => args.length));
    expect(parser.bufferedBytes).toBe(0);
  }
  parser.feed(Buffer.from('*2\r\n$3\r\nGET\r\n$100000\r\n'));
  expect(parser.next()).toBe(false);
  parser.keep();
  parser.feed(Buffer.alloc(100_002, 'x'));
  expect(parser.next()).toBe(false);
  expect(parser.error).toBe('ERR Protocol error: invalid bulk terminator');
});

it('takes memory for what comes, not for what is announced, and lets go of what was read', () => {
  const before = process.memoryUsage().arrayBuffers;
  const parsers = Array.from({ length: 100 }, () => {
    const parser = new RequestParser();
    parser.feed(Buffer.from(`*2\r\n$3\r\nGET\r\n$${500 * 1024 * 1024}\r\nxyz`));
    expect(parser.next()).toBe(false);
    parser.keep();
    return parser;
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  expect(parsers.map(({ bufferedBytes }) => bufferedBytes)).toEqual(Array.from(parsers, () => 6));
  const parser = new RequestParser();
  parser.feed(encoded([[Buffer.from('SET'), Buffer.from('k'), Buffer.alloc(1_000_000)]]));
  expect(parser.next()).toBe(true);
  expect(parser.next()).toBe(false);
  expect(parser.args).toEqual([]);
});

it('gives each command its own key, also when it goes on with what it kept, and when chunks are not kept', () => {
  const gets = (...keys: string[]): Buffer =>
    encoded(keys.map((key) => [Buffer.from('GET'), Buffer.from(key)]));
  const parser = new RequestParser();
  const read = (): string[] => (parser.next() ? parser.args.map(String) : []);
  const memory = gets('aaa', 'bbb');
  parser.feed(memory);
  expect(read()).toEqual(['GET', 'aaa']);
  parser.keep(); // as behind a command that waits
  memory.fill('x');
  expect(read()).toEqual(['GET', 'bbb']);
  for (const key of ['ccc', 'ddd']) {
    parser.feed(gets(key));
    expect(read()).toEqual(['GET', key]);
  }
});

it.each([
  ['*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n', 'invalid multibulk length'],
  [`*1\r\n$41\r\n${'a'.repeat(41)}\r\n`, 'invalid bulk length'],
  [`*2\r\n$40\r\n${'a'.repeat(40)}\r\n$21\r\n${'b'.repeat(21)}\r\n`, 'too big request'],
  ['*1\r\n$4\r\nPING\rx', 'invalid bulk terminator'],
  ['123456789\n', 'too big inline request'],
])('refuses what is over a limit or wrong, though it comes whole: %j', (request, fault) => {
  const limits = { inlineBytes: 8, maxArguments: 2, bulkBytes: 40, requestBytes: 60 };
  const parser = new RequestParser(limits);
  parser.feed(Buffer.from('*-3\r\n*2\r\n$4\r\nabcd\r\n$2\r\nab\r\n12345678\n'));
  expect([parser.next(), parser.args.map(String)]).toEqual([true, ['abcd', 'ab']]);
  expect([parser.next(), parser.args.map(String)]).toEqual([true, ['12345678']]);
  parser.feed(Buffer.from(request));
  expect(parser.next()).toBe(false);
  expect(parser.error).toBe(`ERR Protocol error: ${fault}`);
});
