import { describe, expect, it } from 'vitest';
import { redactFacts, redactText } from '../../src/cli/redact.js';

describe('what is logged', () => {
  it('has no passwords of addresses', () => {
    for (const [text, shown] of [
      ['redis://user:s3cret@host:6379/0', 'redis://user:***@host:6379/0'],
      [
        'cannot reach postgres://:pa$$w@h and rediss://:x@y',
        'cannot reach postgres://:***@h and rediss://:***@y',
      ],
      ['http://127.0.0.1:9464/status', 'http://127.0.0.1:9464/status'],
      ['see https://user@example.org/a:b@c', 'see https://user@example.org/a:b@c'],
      ['redis://u:p@ss/w@rd@h:1', 'redis://u:***@h:1'],
      ['redis://a:x@h1,redis://b:y@h2', 'redis://a:***@h1,redis://b:***@h2'],
      ['http://127.0.0.1:9464/a@b', 'http://127.0.0.1:9464/a@b'],
      ['postgres://h/db?user=u&password=s3cret&x=1', 'postgres://h/db?user=u&password=***&x=1'],
      ['"url":"redis://:p@h"', '"url":"redis://:***@h"'],
      ['redis//u:s3cret@h and redis:/u:s3cret@h', 'redis//u:***@h and redis:/u:***@h'],
      ['/a//b at 12:30 and src/x:1@y', '/a//b at 12:30 and src/x:1@y'],
    ])
      expect(redactText(text)).toBe(shown);
  });

  it('has no facts that are secrets by their name', () => {
    expect(redactFacts({ password: 'p', saslPassword: 'p', url: 'redis://:p@h', sequence: 7 })).toEqual({
      password: '***',
      saslPassword: '***',
      url: 'redis://:***@h',
      sequence: 7,
    });
  });
});
