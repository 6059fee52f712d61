import process from 'node:process';
import { TailraceError } from '../../errors/index.js';
import type { ExistingKeys } from './target-place.js';

/** The options that migrate, verify and cutover share. */
export interface EndsFlags {
  readonly from: string;
  readonly to: string;
  readonly fromPassword?: string;
  readonly toPassword?: string;
  readonly namespace?: readonly string[];
  readonly scratch?: string;
}

export interface VerifyFlags extends EndsFlags {
  readonly name: string;
  readonly sample: number;
  readonly ttlTolerance: number;
  readonly settle: number;
  readonly repair?: boolean;
  readonly maxKeysPerSecond: number;
  readonly maxMbPerSecond: number;
  readonly records: boolean;
}

export interface CutoverFlags extends MigrateFlags {
  readonly quietFor: number;
  readonly skipVerify?: boolean;
}

export interface MigrateFlags extends EndsFlags {
  readonly toOption?: readonly string[];
  readonly name: string;
  readonly state: string;
  readonly follow?: boolean;
  readonly once?: boolean;
  readonly verify?: boolean;
  readonly restart?: boolean;
  readonly existing: ExistingKeys;
  readonly skipUnsupported?: boolean;
  readonly maxKeysPerSecond: number;
  readonly maxMbPerSecond: number;
  readonly records: boolean;
}

export const sourcePassword = ({ fromPassword }: EndsFlags): string =>
  fromPassword ?? process.env['TAILRACE_FROM_PASSWORD'] ?? '';

export const targetPassword = ({ toPassword }: EndsFlags): string =>
  toPassword ?? process.env['TAILRACE_TO_PASSWORD'] ?? '';

/** `--namespace orders=orders:` as what the keys of each namespace start with in the target. */
export const prefixesOf = ({ namespace }: EndsFlags): Readonly<Record<string, string>> => {
  if (namespace === undefined || namespace.length === 0) return { default: '' };
  const prefixes: Record<string, string> = {};
  for (const entry of namespace) {
    const at = entry.indexOf('=');
    const name = at < 0 ? entry : entry.slice(0, at);
    if (name === '')
      throw new TailraceError('USAGE', `--namespace ${entry} names no namespace`, {
        remedy: 'Write --namespace default, or --namespace orders=orders: to give its keys a prefix.',
      });
    prefixes[name] = at < 0 ? '' : entry.slice(at + 1);
  }
  return prefixes;
};
