import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { encodeCommand, RequestParser } from '../../src/resp/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { mutate } from './mutate.js';

const mutations = Number(process.env['MUTATIONS'] ?? 15_000);

const memory = Buffer.alloc(64);

/** Feeds bytes in random pieces, each in the memory of the one before; the commands that came of them. */
const parse = (bytes: Buffer, random: SeededRandom, parser: RequestParser): Buffer[][] => {
  const commands: Buffer[][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(60));
    const length = bytes.copy(memory, 0, at, end);
    parser.feed(memory.subarray(0, length));
    while (parser.next()) commands.push(parser.args.map((arg) => Buffer.from(arg)));
    parser.keep();
    memory.fill('x');
    at = end;
  }
  return commands;
};

const randomRequests = (random: SeededRandom): Buffer[][] =>
  Array.from({ length: 1 + random.below(5) }, () =>
    Array.from({ length: 1 + random.below(6) }, () => random.bytes(random.below(30))),
  );

describe('requests', () => {
  it('come out as they were sent, however they are cut', () => {
    const random = SeededRandom.fromEnvironment('cut requests');
    for (let i = 0; i < mutations / 5; i++) {
      const requests = randomRequests(random);
      const parsed = parse(
        Buffer.concat(requests.map((words) => encodeCommand(...words))),
        random,
        new RequestParser(),
      );
      expect(parsed).toEqual(requests);
    }
  });

  it('that are damaged end in a protocol error or in other requests, in bounded memory', () => {
    const random = SeededRandom.fromEnvironment('damaged requests');
    const limits = { inlineBytes: 256, maxArguments: 64, bulkBytes: 512, requestBytes: 1024 };
    let errors = 0;
    for (let i = 0; i < mutations; i++) {
      const parser = new RequestParser(limits);
      const bytes = mutate(
        Buffer.concat(randomRequests(random).map((words) => encodeCommand(...words))),
        random,
      );
      for (const command of parse(bytes, random, parser)) {
        expect(command.length).toBeGreaterThan(0);
        expect(command.length).toBeLessThanOrEqual(limits.inlineBytes);
        for (const word of command) expect(word.length).toBeLessThanOrEqual(limits.bulkBytes);
      }
      expect(parser.bufferedBytes).toBeLessThanOrEqual(limits.requestBytes + limits.bulkBytes + 64);
      if (parser.error !== undefined) errors++;
    }
    expect(errors).toBeGreaterThan(mutations / 100);
  });
});
