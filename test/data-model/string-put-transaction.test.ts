import { describe, expect, it } from 'vitest';
import {
  type Change,
  CommandEncoder,
  countChanges,
  Decoder,
  StringPutTransaction,
  type Transaction,
} from '../../src/data-model/index.js';
import { Engine } from '../../src/engine/index.js';
import { ByteWriter } from '../../src/resp/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';

/** What the commands of a namespace leave in the log, decoded. */
const decodeAll = async (
  lines: readonly (readonly (string | Buffer)[])[],
  ns?: string,
): Promise<Transaction[]> => {
  const directory = throwAwayDirectory('string-put');
  const engine = await Engine.open(directory.path, { sync: 'none' });
  const commands = new CommandRunner(engine, ns);
  for (const [name, ...words] of lines) commands.run(String(name), ...words);
  await commands.settled();
  await engine.whenDurable(engine.sequence);
  const decoder = new Decoder();
  const transactions: Transaction[] = [];
  const iterator = engine.walIterator(0);
  for (; iterator.valid; iterator.next()) transactions.push(decoder.decode(Buffer.from(iterator.item.bytes)));
  iterator.close();
  await engine.close();
  directory.remove();
  return transactions;
};

const commandsOf = (
  transactions: readonly { readonly changes: readonly Change[] }[],
  prefixes?: Record<string, string>,
): string => {
  const out = new ByteWriter();
  const encoder = new CommandEncoder({ foldSets: true, ...(prefixes === undefined ? {} : { prefixes }) });
  for (let at = 0; at < transactions.length; ) at = encoder.appendNext(out, transactions, at);
  return out.take().toString('latin1');
};

const binary = Buffer.from([0, 255, 13, 10, 36]);

describe('a batch that sets one string', () => {
  it('says the same by its places as by its change', async () => {
    const transactions = await decodeAll([
      ['SET', 'a', '1'],
      ['SET', binary, binary],
      ['SET', '', ''],
      ['SET', 'large', Buffer.alloc(70_000, 'x')],
      ['SET', 'expires', 'v', 'PXAT', '33333333333333'],
      ['HSET', 'h', 'f', 'v'],
      ['SET', 'h', 'a string now'],
      ['APPEND', 'a', '23'],
    ]);
    expect(transactions.map((one) => one instanceof StringPutTransaction)).toEqual(
      Array.from(transactions, (_, at) => at !== 5),
    );
    const plain = transactions.map((one) => ({ ...one, changes: one.changes }));
    expect(commandsOf(transactions)).toBe(commandsOf(plain));
    expect(commandsOf(transactions, { default: 'copy:' })).toBe(commandsOf(plain, { default: 'copy:' }));
    expect(transactions.map(countChanges)).toEqual(plain.map(({ changes }) => changes.length));
    expect(transactions[4].changes).toEqual([
      {
        seq: transactions[4].first,
        index: 0,
        ns: 'default',
        key: Buffer.from('expires'),
        op: 'put',
        type: 'string',
        value: Buffer.from('v'),
        ttlAt: 33_333_333_333_333,
      },
    ]);
    expect(transactions[4].changes).toBe(transactions[4].changes);
  });

  it('keeps its namespace, and is not folded where that has no place', async () => {
    const lines = [
      ['SET', 'a', '1'],
      ['SET', 'b', '2'],
    ];
    const [ours, theirs] = [await decodeAll(lines), await decodeAll(lines, 'orders')];
    expect(commandsOf([...ours, ...theirs], { default: '', orders: 'o:' })).toBe(
      '*9\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$3\r\no:a\r\n$1\r\n1\r\n$3\r\no:b\r\n$1\r\n2\r\n',
    );
    expect(commandsOf(theirs)).toBe('');
  });

  it('is none when only its expiry changes, and none when its header counts something else', async () => {
    const transactions = await decodeAll([
      ['SET', 'a', '1'],
      ['PEXPIREAT', 'a', '33333333333333'],
      ['PERSIST', 'a'],
      ['MSET', 'b', '1', 'c', '2'],
    ]);
    expect(transactions.map((one) => one instanceof StringPutTransaction)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(transactions.map(({ changes }) => changes.map(({ op }) => op))).toEqual([
      ['put'],
      ['expire'],
      ['persist'],
      ['put', 'put'],
    ]);
    const batch = Buffer.from(new WriteBatchBuilder().append(transactions[3].bytes).finish(1));
    batch.writeUInt32LE(1, 8);
    expect(() => new Decoder().decode(batch)).toThrow(/header counts 1 records, found 2/);
  });
});
