import { expect, it } from 'vitest';
import { asSinkError, refusalKind } from '../../sinks/redis/refusal.js';
import { ReplyError } from '../../src/kit/index.js';

const ofScript = (reason: string): string =>
  `ERR Error running script (call to f_8426c8df41c64d8177dce3ecbbe9146ef3759cd2): @user_script:6: @user_script: 6: ${reason}`;

it.each([
  ['OOM command not allowed when used memory > "maxmemory".', 'busy'],
  ['EXECABORT Transaction discarded because of: OOM command not allowed', 'busy'],
  [ofScript("-OOM command not allowed when used memory > 'maxmemory'."), 'busy'],
  [ofScript('-NOREPLICAS Not enough good replicas to write.'), 'busy'],
  [ofScript("-READONLY You can't write against a read only replica."), 'moved'],
  [ofScript("The user executing the script can't run this command or subcommand"), 'forbidden'],
  ["ERR unknown command 'FLUSHDB', with args beginning with: ", 'command'],
])('what a Redis of any version does not carry out is known by its reason: %s', (message, kind) => {
  expect(refusalKind(message)).toBe(kind);
});

it('says what to do about the reason that stands in the words of a script', () => {
  const reply = new ReplyError(ofScript('-OOM command not allowed'));
  expect(asSinkError(reply, 'host:1')).toMatchObject({
    code: 'SINK_UNREACHABLE',
    remedy: expect.stringContaining('raise its maxmemory'),
  });
});
