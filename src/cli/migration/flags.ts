import process from 'node:process';
import { TailraceError } from '../../errors/index.js';
import type { ExistingKeys } from './existing-keys.js';

/** The options that migrate, verify and cutover share. */
export interface EndsFlags {
  readonly from: string;
  readonly to: string;
  readonly fromPassword?: string;
  readonly toPassword?: string;
  /** Settings of the sink that writes to the target, `name=value`. */
  readonly toOption?: readonly string[];
  readonly namespace?: readonly string[];
  readonly allNamespaces?: boolean;
  readonly database?: readonly string[];
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
  readonly name: string;
  readonly state: string;
  readonly follow?: boolean;
  readonly once?: boolean;
  readonly verify?: boolean;
  readonly restart?: boolean;
  /** true: one that is made for it. */
  readonly checkpoint?: string | true;
  readonly existing: ExistingKeys;
  readonly skipUnsupported?: boolean;
  /** 0 = no limit. */
  readonly maxKeyBytes: number;
  readonly maxKeysPerSecond: number;
  readonly maxMbPerSecond: number;
  readonly records: boolean;
}

export const sourcePassword = ({ fromPassword }: EndsFlags): string =>
  fromPassword ?? process.env['TAILRACE_FROM_PASSWORD'] ?? '';

export const targetPassword = ({ toPassword }: EndsFlags): string =>
  toPassword ?? process.env['TAILRACE_TO_PASSWORD'] ?? '';

/** Where the keys of each namespace go: what they start with in the target, or the number of a database. */
export type NamespaceTargets = Readonly<Record<string, string | number>>;

/** `--namespace orders=orders:`, `--database carts=3` and `--all-namespaces`; `*` stands for all that are not named. */
export const namespacesOf = ({
  namespace = [],
  database = [],
  allNamespaces,
}: EndsFlags): NamespaceTargets => {
  const targets: Record<string, string | number> = {};
  for (const entry of namespace) {
    const at = entry.indexOf('=');
    const name = at < 0 ? entry : entry.slice(0, at);
    if (name === '')
      throw new TailraceError('USAGE', `--namespace ${entry} names no namespace`, {
        remedy: 'Write --namespace default, or --namespace orders=orders: to give its keys a prefix.',
      });
    targets[name] = at < 0 ? '' : entry.slice(at + 1);
  }
  for (const entry of database) {
    const [, name, number] = /^(.+)=(\d+)$/.exec(entry) ?? [];
    if (name === undefined)
      throw new TailraceError('USAGE', `--database ${entry} names no namespace and number`, {
        remedy: 'Write --database carts=3, for example.',
      });
    targets[name] = Number(number);
  }
  if (allNamespaces) targets['*'] = '*';
  return Object.keys(targets).length === 0 ? { default: '' } : targets;
};

/** With the names of the source in place of `*`: the default namespace as it is, others behind their name and a colon. */
export const resolveNamespaces = (targets: NamespaceTargets, names: readonly string[]): NamespaceTargets => {
  const { '*': all, ...named } = targets;
  if (all === undefined) return named;
  const rest = names.filter((name) => !Object.hasOwn(named, name));
  return { ...Object.fromEntries(rest.map((ns) => [ns, ns === 'default' ? '' : `${ns}:`])), ...named };
};

/** True when every namespace is to keep its name, and so its records need not be changed. */
export const keepsNamespaces = (targets: NamespaceTargets): boolean =>
  Object.entries(targets).every(([ns, target]) => ns === '*' || (ns === 'default' && target === ''));

/** One group of namespaces for each database of the target; the URL's own for those that have a prefix. */
export const byDatabase = (
  targets: NamespaceTargets,
): { readonly database: number | undefined; readonly prefixes: Readonly<Record<string, string>> }[] => {
  const groups = new Map<number | undefined, Record<string, string>>();
  for (const [ns, target] of Object.entries(targets)) {
    const database = typeof target === 'number' ? target : undefined;
    const group = groups.get(database) ?? {};
    group[ns] = typeof target === 'number' ? '' : target;
    groups.set(database, group);
  }
  return [...groups].map(([database, prefixes]) => ({ database, prefixes }));
};
