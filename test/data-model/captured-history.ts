import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/kvrocks/${name}`, import.meta.url));

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** The batches of a random history of 12,000 commands, as a real Kvrocks logged them. */
export const readHistoryBatches = (): Buffer[] =>
  linesOf(gunzipSync(fixture('history-a.batches.hex.gz')).toString()).map((hex) => Buffer.from(hex, 'hex'));

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
