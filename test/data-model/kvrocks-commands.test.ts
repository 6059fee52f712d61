import { beforeEach, describe, expect, it } from 'vitest';
import { CommandClient } from '../support/command-client.js';

let client: CommandClient;

beforeEach(() => {
  client = new CommandClient();
});

describe('commands that only Kvrocks has', () => {
  it('read fields of a hash by their order', () => {
    client.run('HSET', 'h', 'a', '1', 'b', '2', 'c', '3', 'd', '4');
    expect(client.run('HRANGEBYLEX', 'h', '-', '+')).toEqual(['a', '1', 'b', '2', 'c', '3', 'd', '4']);
    expect(client.run('HRANGEBYLEX', 'h', '(a', '[c')).toEqual(['b', '2', 'c', '3']);
    expect(client.run('HRANGEBYLEX', 'h', '+', '[b', 'REV', 'LIMIT', '1', '1')).toEqual(['c', '3']);
    expect(client.run('HRANGEBYLEX', 'h', 'a', 'b')).toBe('error ERR min or max not valid string range item');
    expect(client.run('HRANGEBYLEX', 'none', '-', '+')).toEqual([]);
  });

  it('read sorted ints between two numbers', () => {
    client.run('SIADD', 's', '1', '5', '9', '100', '18446744073709551615');
    expect(client.run('SIRANGEBYVALUE', 's', '-inf', '(100')).toEqual(['1', '5', '9']);
    expect(client.run('SIRANGEBYVALUE', 's', '(5', '+inf')).toEqual(['9', '100', '18446744073709551615']);
    expect(client.run('SIREVRANGEBYVALUE', 's', '+inf', '5', 'LIMIT', '1', '2')).toEqual(['100', '9']);
    expect(client.run('SIRANGEBYVALUE', 's', '(18446744073709551615', 'inf')).toEqual([]);
    expect(client.run('SIRANGEBYVALUE', 's', '0', '(0')).toEqual([]);
    expect(client.run('SIRANGEBYVALUE', 's', 'x', '1')).toBe('error ERR the min or max is not integer');
  });

  it('tell what a JSON document is, and show it in replies', () => {
    client.run('JSON.SET', 'doc', '$', '{"a":1,"b":[1.5,"x",null,true]}');
    expect(client.run('JSON.INFO', 'doc')).toEqual(['storage_format', 'json']);
    expect(client.run('JSON.RESP', 'doc', '$')).toEqual([
      ['{', 'a', 1n, 'b', ['[', '1.5', 'x', null, 'true']],
    ]);
    expect(client.run('JSON.INFO', 'none')).toBe('error ERR no such key');
    expect(client.run('JSON.DEBUG', 'MEMORY', 'doc', '$.b[*]')).toEqual([3, 3, 4, 4]);
    expect(client.run('JSON.DEBUG', 'MEMORY', 'none')).toBe(0);
    expect(client.run('JSON.DEBUG', 'FIELDS', 'doc')).toMatch(/^error ERR wrong number/);
  });
});
