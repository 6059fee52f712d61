import { describe, expect, it } from 'vitest';
import { KeyPattern, Template } from '../../../sinks/kafka/template.js';
import type { Change } from '../../../src/kit/index.js';

const change = (key: string | Buffer): Change => ({
  ...{ seq: 12, index: 3, ns: 'shop', op: 'put', type: 'hash' },
  ...{ key: Buffer.from(key), field: Buffer.from('total'), value: Buffer.from('1') },
});
const render = (text: string, pattern: string, key: string | Buffer): string | undefined => {
  const keys = new KeyPattern(pattern);
  const bytes = new Template(text, 'orders', keys).render(change(key), 10, keys.match(Buffer.from(key)));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
};

describe('a template', () => {
  it('is filled in from the change', () => {
    expect(render('cdc.{pipeline}.{namespace}.{type}.{op}', '', 'k')).toBe('cdc.orders.shop.hash.put');
    expect(render('{key}/{field}@{position}', '', 'k')).toBe('k/total@10.3');
    expect(render('plain', '', 'k')).toBe('plain');
  });

  it('takes keys apart by the pattern: as little as possible, and the rest for the last', () => {
    expect(render('{entity}|{id}', '{entity}:{id}', 'user:1:2')).toBe('user|1:2');
    expect(render('{a}{b}', 'x.{a}[{b}]', 'x.1[2]')).toBe('12');
    expect(render('{entity}', '{entity}:{id}', 'user')).toBeUndefined();
    expect(render('{entity}', '{entity}:{id}', ':1')).toBeUndefined();
  });

  it('keeps keys of any bytes', () => {
    const key = Buffer.from([0xff, 0x3a, 0, 0xfe, 0x0a]);
    expect(render('{key}', '', key)).toBe(key.toString('latin1'));
    expect(render('{id}-{entity}', '{entity}:{id}', key)).toBe('\0\xfe\n-\xff');
  });

  it('refuses placeholders that are not there, and patterns that cannot be', () => {
    expect(() => render('{tpye}', '', 'k')).toThrow('no placeholder {tpye}; there are {pipeline}');
    expect(() => new KeyPattern('{key}')).toThrow('the name {key} is taken');
    expect(() => new KeyPattern('{a}{a}')).toThrow('the name {a} is taken');
    expect(() => new KeyPattern('{1}')).toThrow('no name of a placeholder');
  });
});
