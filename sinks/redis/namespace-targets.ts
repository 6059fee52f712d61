import { TailraceError } from '../../src/kit/index.js';

/** Where the keys of each namespace go: a text that they start with, or the number of a database of their own. */
export type NamespaceTargets = Readonly<Record<string, string | number>>;

/** Targets that are all in one database. @throws TailraceError `CONFIG_INVALID` for two that cannot be told apart */
export const prefixesOf = (targets: NamespaceTargets): Readonly<Record<string, string>> => {
  const prefixes = Object.entries(targets).map(([ns, target]): [string, string] => [
    ns,
    typeof target === 'string' ? target : '',
  ]);
  for (const [at, [ns, prefix]] of prefixes.entries()) {
    const other = prefixes.findIndex((one) => one[1] === prefix);
    if (other < at)
      throw new TailraceError(
        'CONFIG_INVALID',
        `the namespaces ${prefixes[other][0]} and ${ns} go to the same place in the target`,
        { remedy: 'Give each namespace a prefix or a database number of its own under namespaces.' },
      );
  }
  return Object.fromEntries(prefixes);
};

/** @throws TailraceError `CONFIG_INVALID` for targets that a cluster cannot have */
export const requireOneDatabase = (targets: NamespaceTargets): void => {
  const numbered = Object.entries(targets).find(([, target]) => typeof target === 'number');
  if (numbered === undefined) return;
  throw new TailraceError('CONFIG_INVALID', `a Redis Cluster has no database ${numbered[1]}`, {
    remedy: `Give the namespace ${numbered[0]} a prefix under namespaces.`,
  });
};
