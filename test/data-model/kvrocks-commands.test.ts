import { beforeEach, describe, expect, it } from 'vitest';
import {
  ColumnFamily,
  defaultNamespace,
  encodeMetadataKey,
  namespacePrefix,
} from '../../src/data-model/index.js';
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

  it('set fields and let the hash expire in one batch', () => {
    client.run('HSET', 'h', 'a', '1');
    expect(client.run('HSETEXPIRE', 'h', '100', 'a', '2', 'b', '3')).toBe('OK');
    expect(client.run('HGETALL', 'h')).toEqual(['a', '2', 'b', '3']);
    expect(client.run('TTL', 'h')).toBe(100);
    expect(client.run('HSETEXPIRE', 'new', '5', 'f', 'v')).toBe('OK');
    expect([client.run('HLEN', 'new'), client.run('TTL', 'new')]).toEqual([1, 5]);
    expect(client.run('HSETEXPIRE', 'h', '0', 'a', '1')).toMatch(/^error ERR invalid expire time/);
    expect(client.run('HSETEXPIRE', 'h', '10', 'a')).toMatch(/^error ERR wrong number/);
    client.run('SET', 's', 'v');
    expect(client.run('HSETEXPIRE', 's', '10', 'a', '1')).toMatch(/^error WRONGTYPE/);
  });

  it('tell the metadata of a key', () => {
    client.run('RPUSH', 'l', 'a', 'b');
    const facts = client.run('KMETADATA', 'l') as unknown[];
    expect(facts.slice(0, 6)).toEqual(['type', 'list', 'flags', 0x83, 'expire', 0]);
    expect(facts.slice(8, 10)).toEqual(['size', 2]);
    client.run('SET', 's', 'v', 'PXAT', '4000000000123');
    expect(client.run('KMETADATA', 's')).toEqual(['type', 'string', 'flags', 0x81, 'expire', 4000000000123]);
    expect(client.run('KMETADATA', 'none')).toBe('error ERR no such key');
  });
});

describe('conditions on the value of a string', () => {
  it('let SET change what is, or is not, this value or this digest', () => {
    expect(client.run('SET', 'k', 'new', 'IFEQ', 'old')).toBeNull();
    expect(client.run('SET', 'k', 'hello', 'IFNE', 'old')).toBe('OK');
    expect(client.run('SET', 'k', 'x', 'IFNE', 'hello')).toBeNull();
    expect(client.run('DIGEST', 'k')).toBe('9555e8555c62dcfd');
    expect(client.run('SET', 'k', 'x', 'IFDNE', '9555E8555C62DCFD')).toBeNull();
    expect(client.run('SET', 'k', 'world', 'IFDEQ', '9555E8555C62DCFD', 'GET', 'EX', '10')).toBe('hello');
    expect(client.run('SET', 'k', 'x', 'IFEQ', 'hello', 'GET')).toBe('world');
    expect([client.run('GET', 'k'), client.run('TTL', 'k')]).toEqual(['world', 10]);
    for (const more of [['IFEQ'], ['IFEQ', 'a', 'NX'], ['IFEQ', 'a', 'IFNE', 'b'], ['XX', 'IFEQ', 'a']])
      expect(client.run('SET', 'k', 'v', ...more)).toBe('error ERR syntax error');
    expect(client.run('SET', 'k', 'v', 'IFDEQ', 'beef')).toMatch(/^error ERR IFDEQ must be exactly 16/);
    client.run('RPUSH', 'l', 'a');
    expect(client.run('SET', 'l', 'v', 'IFNE', 'a')).toMatch(/^error WRONGTYPE/);
    expect(client.run('DIGEST', 'l')).toMatch(/^error WRONGTYPE/);
    expect(client.run('DIGEST', 'none')).toBeNull();
  });

  it('let DELEX delete it', () => {
    client.run('MSET', 'a', '1', 'b', '2');
    client.run('RPUSH', 'l', 'x');
    expect(client.run('DELEX', 'a', 'IFEQ', '2')).toBe(0);
    expect(client.run('DELEX', 'a', 'IFNE', '2')).toBe(1);
    expect(client.run('DELEX', 'a', 'IFNE', '2')).toBe(0);
    expect(client.run('DELEX', 'b', 'IFDEQ', String(client.run('DIGEST', 'b')))).toBe(1);
    expect(client.run('DELEX', 'l', 'IFEQ', 'x')).toMatch(/^error ERR Key should be of string type/);
    expect(client.run('DELEX', 'l')).toBe(1);
    expect(client.run('DELEX', 'l', 'IFEQ')).toMatch(/^error ERR wrong number/);
    expect(client.run('DELEX', 'l', 'IFFY', 'x')).toBe('error ERR syntax error');
    expect(client.run('DBSIZE')).toBe(0);
  });

  it('let MSETEX set all or none, with one expiry', () => {
    expect(client.run('MSETEX', '2', 'a', '1', 'b', '2', 'XX')).toBe(0);
    expect(client.run('MSETEX', '2', 'a', '1', 'b', '2', 'NX', 'EX', '10')).toBe(1);
    expect(client.run('MSETEX', '2', 'b', '3', 'c', '4', 'NX')).toBe(0);
    expect(client.run('MGET', 'a', 'b', 'c')).toEqual(['1', '2', null]);
    expect([client.run('TTL', 'a'), client.run('TTL', 'b')]).toEqual([10, 10]);
    expect(client.run('MSETEX', '1', 'a', '5', 'KEEPTTL', 'XX')).toBe(1);
    expect([client.run('GET', 'a'), client.run('TTL', 'a')]).toEqual(['5', 10]);
    expect(client.run('MSETEX', '1', 'a', '5', 'PXAT', '1')).toBe(1);
    expect(client.run('EXISTS', 'a')).toBe(0);
    expect(client.run('MSETEX', '0', 'a', '5')).toBe('error ERR invalid numkeys value');
    expect(client.run('MSETEX', '2', 'a', '5', 'b')).toBe('error ERR wrong number of key-value pairs');
    expect(client.run('MSETEX', '1', 'a', '5', 'KEEPTTL', 'EX', '1')).toBe('error ERR syntax error');
  });
});

it('leaves no metadata of a set whose last member SREM or SMOVE takes, where SPOP leaves a size of 0, as Kvrocks does', () => {
  const isKept = (key: string): boolean =>
    client.store.get(
      ColumnFamily.metadata,
      encodeMetadataKey(namespacePrefix(defaultNamespace), Buffer.from(key)),
    ) !== undefined;
  for (const key of ['removed', 'moved', 'popped']) client.run('SADD', key, 'a', 'b');
  client.run('SREM', 'removed', 'a');
  expect(isKept('removed')).toBe(true);
  client.run('SREM', 'removed', 'b', 'none');
  client.run('SMOVE', 'moved', 'other', 'a');
  client.run('SMOVE', 'moved', 'other', 'b');
  client.run('SPOP', 'popped', '2');
  expect(['removed', 'moved', 'popped'].map(isKept)).toEqual([false, false, true]);
  expect(client.run('SADD', 'removed', 'c')).toBe(1);
  expect(client.run('SMEMBERS', 'removed')).toEqual(['c']);
  expect(client.run('EXISTS', 'moved', 'popped', 'other')).toBe(1);
});
