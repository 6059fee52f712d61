import { beforeEach, describe, expect, it } from 'vitest';
import { CommandClient } from '../support/command-client.js';
import { SeededRandom } from '../support/seeded-random.js';

let client: CommandClient;

beforeEach(() => {
  client = new CommandClient();
  client.run('JSON.SET', 'doc', '$', '{"a":1,"list":[1,2.5,"x",{"a":2}],"o":{"k":true},"s":"text"}');
});

/** Kvrocks has no whole number -0. */
const withoutSign = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a JSON document', () => {
  it('comes back with sorted names, whole and other numbers told apart', () => {
    client.run('JSON.SET', 'n', '$', ' { "z" : 1.0, "a" : 9007199254740993, "e" : 1e2 } ');
    expect(client.run('JSON.GET', 'n')).toBe('{"a":9007199254740993,"e":100.0,"z":1.0}');
  });

  it('is refused when it is no JSON', () => {
    for (const text of ['', '{', '[1,]', '{"a" 1}', 'nul', '01', '"\n"', '[1]x', '['.repeat(5000)])
      expect(client.run('JSON.SET', 'bad', '$', text)).toBe('error ERR invalid JSON text');
    expect(client.run('JSON.SET', 'bad', '$', Buffer.from([0x22, 0xff, 0x22]))).toMatch(/^error/);
    expect(client.run('EXISTS', 'bad')).toBe(0);
  });

  it('is refused with a number that no double holds, which could not be read again', () => {
    for (const text of ['1e400', '[-1e400]', '1'.repeat(400)])
      expect(client.run('JSON.SET', 'bad', '$', text)).toBe('error ERR invalid JSON text');
    expect(client.run('JSON.SET', 'n', '$', '[-0.0,1e-400]')).toBe('OK');
    expect(client.run('JSON.GET', 'n')).toBe('[-0.0,0.0]');
  });

  it('is taken exactly where JSON.parse takes it, and means the same', () => {
    const random = SeededRandom.fromEnvironment('json texts');
    const pieces = [
      '"',
      '"',
      '\\\\',
      '\\"',
      '\\n',
      '\\u0041',
      '\\ud800',
      'é',
      '[',
      ']',
      '{',
      '}',
      ':',
      ',',
      ' ',
    ];
    const words = [
      '"a"',
      '"b\\\\"',
      'null',
      'true',
      '0',
      '-0',
      '12',
      '1e-2',
      '-',
      '.5',
      '\t',
      '\\',
      '\u0001',
    ];
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      const length = 1 + random.below(7);
      const text = Array.from({ length }, () => random.pick(random.below(2) === 0 ? pieces : words)).join('');
      let parsed: unknown;
      try {
        parsed = JSON.parse(text);
      } catch {
        expect(client.run('JSON.SET', 'k', '$', text), text).toBe('error ERR invalid JSON text');
        continue;
      }
      taken++;
      expect(client.run('JSON.SET', 'k', '$', text), text).toBe('OK');
      const told = Buffer.from(String(client.run('JSON.GET', 'k')), 'latin1').toString();
      expect(withoutSign(JSON.parse(told)), text).toEqual(withoutSign(parsed));
    }
    expect(taken).toBeGreaterThan(500);
  });

  it('is never nested deeper than what can be read again', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(client.run('JSON.SET', 'deep', '$', nested(1025))).toBe('error ERR invalid JSON text');
    expect(client.run('JSON.SET', 'deep', '$', nested(1024))).toBe('OK');
    const innermost = `$${'[0]'.repeat(1023)}`;
    for (const command of ['JSON.ARRAPPEND', 'JSON.SET', 'JSON.MERGE'])
      expect(client.run(command, 'deep', innermost, nested(900))).toBe(
        'error ERR the document would be nested too deep',
      );
    expect(client.run('JSON.GET', 'deep')).toBe(nested(1024));
  });

  it('may be long in every way', () => {
    const text = `"${'a\\n\\"'.repeat(2_000_000)}\\\\"`;
    expect(client.run('JSON.SET', 'long', '$', text)).toBe('OK');
    expect(client.run('JSON.STRLEN', 'long', '$')).toEqual([6_000_001]);
    client.run('JSON.SET', 'long', '$', JSON.stringify(Array.from({ length: 300_000 }, (_, i) => i)));
    expect(client.run('JSON.ARRTRIM', 'long', '$', '1', '-2')).toEqual([299_998]);
    const values = Array.from({ length: 50_000 }, () => '7');
    expect(client.run('JSON.ARRINSERT', 'long', '$', '1', ...values)).toEqual([349_998]);
    expect(client.run('JSON.ARRAPPEND', 'long', '$', ...values)).toEqual([399_998]);
    expect(client.run('JSON.GET', 'long', '$[0]', '$[1]', '$[-1]')).toBe(
      '{"$[-1]":[7],"$[0]":[1],"$[1]":[7]}',
    );
  });

  it('has each match once, however often a path goes down', () => {
    client.run('JSON.SET', 'n', '$', '{"a":{"a":{"b":1,"a":[1,2,3,4]}}}');
    expect(client.run('JSON.NUMINCRBY', 'n', '$..a..b', '1')).toBe('[2]');
    expect(client.run('JSON.DEL', 'n', '$..a..[0]')).toBe(1);
    const deep = `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`;
    client.run('JSON.SET', 'deep', '$', deep);
    expect(client.run('JSON.TYPE', 'deep', `$${'..a'.repeat(8)}`)).toHaveLength(493);
  });

  it('keeps nested matches apart when their places move', () => {
    client.run('JSON.SET', 'n', '$', '{"x":[[1],[2]]}');
    expect(client.run('JSON.ARRINSERT', 'n', '$..*', '0', '9')).toEqual([3, 2, 2, null, null]);
    expect(client.run('JSON.GET', 'n')).toBe('{"x":[9,[9,1],[9,2]]}');
  });

  it('is read by paths of the newer and the older kind', () => {
    expect(client.run('JSON.GET', 'doc', '$.a')).toBe('[1]');
    expect(client.run('JSON.GET', 'doc', '.a')).toBe('1');
    expect(client.run('JSON.GET', 'doc', '$..a')).toBe('[1,2]');
    expect(client.run('JSON.GET', 'doc', '$.list[-1].a')).toBe('[2]');
    expect(client.run('JSON.GET', 'doc', '$.list[0:2]')).toBe('[1,2.5]');
    expect(client.run('JSON.GET', 'doc', "$['o'].*")).toBe('[true]');
    expect(client.run('JSON.GET', 'doc', '$.a', '$.s')).toBe('{"$.a":[1],"$.s":["text"]}');
    expect(client.run('JSON.GET', 'doc', '$.none')).toBe('[]');
    expect(client.run('JSON.GET', 'doc', '$[?(@.a>1)]')).toMatch(
      /^error ERR invalid or unsupported JSON path/,
    );
    expect(client.run('JSON.GET', 'none')).toBeNull();
  });

  it('is made at its root, and grows by names', () => {
    expect(client.run('JSON.SET', 'new', '$.a', '1')).toBe(
      'error ERR new objects must be created at the root',
    );
    expect(client.run('JSON.SET', 'doc', '$.o.new', '[]')).toBe('OK');
    expect(client.run('JSON.SET', 'doc', '$.none.new', '[]')).toBeNull();
    expect(client.run('JSON.SET', 'doc', '$.a', '5', 'NX')).toBeNull();
    expect(client.run('JSON.GET', 'doc', '$.o')).toBe('[{"k":true,"new":[]}]');
  });

  it('changes in place', () => {
    expect(client.run('JSON.NUMINCRBY', 'doc', '$.a', '1.5')).toBe('[2.5]');
    expect(client.run('JSON.NUMMULTBY', 'doc', '$.list[0]', '7')).toBe('[7]');
    expect(client.run('JSON.STRAPPEND', 'doc', '$.s', '"!"')).toEqual([5]);
    expect(client.run('JSON.TOGGLE', 'doc', '$.o.k')).toEqual([0]);
    expect(client.run('JSON.ARRAPPEND', 'doc', '$.list', 'null')).toEqual([5]);
    expect(client.run('JSON.ARRINSERT', 'doc', '$.list', '0', '"first"')).toEqual([6]);
    expect(client.run('JSON.ARRPOP', 'doc', '$.list', '1')).toEqual(['7']);
    expect(client.run('JSON.ARRTRIM', 'doc', '$.list', '0', '2')).toEqual([3]);
    expect(client.run('JSON.ARRINDEX', 'doc', '$.list', '"x"')).toEqual([2]);
    expect(client.run('JSON.GET', 'doc')).toBe(
      '{"a":2.5,"list":["first",2.5,"x"],"o":{"k":false},"s":"text!"}',
    );
    expect(client.run('JSON.DEL', 'doc', '$.list[0:2]')).toBe(2);
    expect(client.run('JSON.CLEAR', 'doc', '$.*')).toBe(3);
    expect(client.run('JSON.GET', 'doc')).toBe('{"a":0,"list":[],"o":{},"s":"text!"}');
  });

  it('is merged as RFC 7396 has it', () => {
    expect(client.run('JSON.MERGE', 'doc', '$', '{"a":null,"o":{"n":1},"list":7}')).toBe('OK');
    expect(client.run('JSON.GET', 'doc')).toBe('{"list":7,"o":{"k":true,"n":1},"s":"text"}');
    expect(client.run('JSON.MERGE', 'doc', '$.o.n', 'null')).toBe('OK');
    expect(client.run('JSON.GET', 'doc')).toBe('{"list":7,"o":{"k":true},"s":"text"}');
  });

  it('tells types, lengths and names', () => {
    expect(client.run('JSON.TYPE', 'doc', '$.list[*]')).toEqual(['integer', 'number', 'string', 'object']);
    expect(client.run('JSON.OBJKEYS', 'doc', '$')).toEqual([['a', 'list', 'o', 's']]);
    expect(client.run('JSON.ARRLEN', 'doc', '$.*')).toEqual([null, 4, null, null]);
    expect(client.run('JSON.STRLEN', 'doc', '.s')).toBe(4);
    expect(client.run('JSON.MGET', 'doc', 'none', '$.a')).toEqual(['[1]', null]);
  });

  it('keeps its expiry, and is of its own type', () => {
    client.run('PEXPIREAT', 'doc', '4000000000000');
    client.run('JSON.SET', 'doc', '$.a', '2');
    expect(client.run('PEXPIRETIME', 'doc')).toBe(4_000_000_000_000);
    expect(client.run('TYPE', 'doc')).toBe('ReJSON-RL');
    expect(client.run('GET', 'doc')).toMatch(/^error WRONGTYPE/);
    expect(client.run('JSON.GET', 'doc', '$.a')).toBe('[2]');
  });
});
