import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { RecordKind, WriteBatchReader } from '../../src/write-batch/index.js';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/kvrocks/${name}`, import.meta.url));

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** The batches of a random history of 12,000 commands, as a real Kvrocks logged them. */
export const readHistoryBatches = (): Buffer[] =>
  linesOf(gunzipSync(fixture('history-a.batches.hex.gz')).toString()).map((hex) => Buffer.from(hex, 'hex'));

/**
 * The same, with every expiry a hundred years later: for tests that replay it into a server with a clock of its own, for
 * which a key that expires in the middle would be gone when the changes behind come.
 */
export const readLastingHistory = (): Buffer[] =>
  readHistoryBatches().map((batch) => {
    const reader = new WriteBatchReader(batch);
    while (reader.next()) {
      if (reader.kind !== RecordKind.Put || reader.columnFamily !== metadataFamily) continue;
      // Metadata: | flags u8, 0x80 = times in ms | expiry u64 BE | …
      const isTimed = (batch[reader.valueStart] & 0x80) !== 0;
      const expiry = isTimed ? batch.readBigUInt64BE(reader.valueStart + 1) : 0n;
      if (expiry > 0n) batch.writeBigUInt64BE(expiry + hundredYearsMs, reader.valueStart + 1);
    }
    return batch;
  });

const metadataFamily = 1;
const hundredYearsMs = BigInt(100 * 365 * 24 * 3_600_000);

/** A key of the state that the history leads to; bytes as latin1 text. */
export interface KeyState {
  readonly key: string;
  readonly type: string;
  readonly pexpireat: number | null;
  readonly value: unknown;
}

/** What the Kvrocks held at the end of the history, by key. */
export const readHistoryState = (): Map<string, KeyState> =>
  new Map(
    linesOf(fixture('history-a.state.jsonl').toString()).map((line) => {
      const state = JSON.parse(line) as KeyState;
      const key = latin1(state.key);
      const value =
        state.type === 'ReJSON-RL' ? Buffer.from(String(state.value)).toString('latin1') : stateValue(state);
      return [key, { ...state, key, value }];
    }),
  );

const stateValue = ({ type, value }: KeyState): unknown => {
  switch (type) {
    case 'stream':
      return (value as [string, string[]][]).map(([id, fields]) => [id, fields.map(latin1)]);
    case 'zset':
      return (value as [string, string][])
        .map(([member, score]) => [latin1(member), Number(score)])
        .sort(byFirstText);
    case 'hash':
      return (decoded(value) as string[][]).sort(byFirstText);
    case 'set':
      return (decoded(value) as string[]).sort();
    default:
      return decoded(value);
  }
};

const byFirstText = (a: readonly unknown[], b: readonly unknown[]): number =>
  String(a[0]) < String(b[0]) ? -1 : 1;

const decoded = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(decoded) : latin1(String(value));

const latin1 = (base64: string): string => Buffer.from(base64, 'base64').toString('latin1');
