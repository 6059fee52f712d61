import { expect, it } from 'vitest';
import { RequestParser } from '../../src/resp/index.js';
import { SeededRandom } from '../support/seeded-random.js';

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
    const bytes = Buffer.concat(
      sent.flatMap((args) => [
        Buffer.from(`*${args.length}\r\n`),
        ...args.flatMap((arg) => [Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n')]),
      ]),
    );
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
