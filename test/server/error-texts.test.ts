import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ReplyError } from '../../src/resp/index.js';
import { useServer } from '../support/use-server.js';

/** Calls that build on each other, and how Redis 7.0 refuses them; null where it does not. */
const captured = readFileSync(new URL('../fixtures/redis/refusals.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as { readonly call: string; readonly refusal: string | null });

/** Refused by both, in other words: those of Kvrocks, or for a limit of ours. */
const ownWords = [
  ['NOSUCH a b', 'ERR unknown command `NOSUCH`, with args beginning with: `a`, `b`'],
  ['SETRANGE s 600000000 a', 'ERR string exceeds maximum allowed size (512MB)'],
  ['PFADD s a', 'WRONGTYPE Operation against a key holding the wrong kind of value'],
  ['AUTH x', 'ERR Client sent AUTH, but no password is set'],
] as const;

describe('a wrong call', () => {
  const served = useServer('error-texts', { engine: { sync: 'none' } });
  beforeAll(async () => {
    await served.client.call('SET', 's', 'abc');
  });

  const refusalOf = async (call: string): Promise<string | null> => {
    const words = [...call.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
    const reply = await served.client.call(...words);
    return reply instanceof ReplyError ? reply.message : null;
  };

  it('is refused in the words of Redis, which clients match on', async () => {
    const answered: typeof captured = [];
    for (const { call } of captured) answered.push({ call, refusal: await refusalOf(call) });
    expect(answered).toEqual(captured);
  });

  it.each(ownWords)('such as %s is refused in our own words', async (call, refusal) => {
    expect(await refusalOf(call)).toBe(refusal);
  });
});
