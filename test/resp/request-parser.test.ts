import { expect, it } from 'vitest';
import { RequestParser } from '../../src/resp/index.js';
import { SeededRandom } from '../support/seeded-random.js';

it('reads every command as it was sent, wherever the chunks end and however many names there are', () => {
  const random = SeededRandom.fromEnvironment('requests');
  const parser = new RequestParser();
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
      parser.feed(Buffer.from(bytes.subarray(at, end)));
      while (parser.next()) received.push(parser.args.map((arg) => Buffer.from(arg)));
      at = end;
    }
    expect(received).toEqual(sent);
  }
  expect(parser.error).toBeUndefined();
});
