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
