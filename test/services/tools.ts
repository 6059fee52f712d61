import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/**
 * Finds the programs that tests talk to, and fetches what is missing: a local installation first, then Debian
 * packages (installed as root; unpacked into the cache folder otherwise). Everything found is put on PATH, so
 * that tests just spawn by name.
 */

/** Program → Debian packages that bring it. */
const packagesOf: Readonly<Record<string, readonly string[]>> = {
  'redis-server': ['redis-server', 'redis-tools'],
  'redis-cli': ['redis-tools'],
  'redis-benchmark': ['redis-tools'],
  postgres: ['postgresql'],
  initdb: ['postgresql'],
  psql: ['postgresql-client'],
  ldb: ['rocksdb-tools'],
  java: ['default-jre-headless'],
  mvn: ['maven'],
};

/** Where throw-away downloads are kept between runs. */
export const cacheDirectory =
  process.env['TAILRACE_TEST_CACHE'] ?? join(homedir(), '.cache', 'tailrace-test');

/** Makes sure that each program can be spawned by name. @throws Error that names the program and the remedy. */
export const ensurePrograms = (programs: readonly string[]): void => {
  extendPath();
  const missing = programs.filter((program) => !isOnPath(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((program) => packagesOf[program] ?? []))];
  console.error(`test services: fetching ${packages.join(', ')} for ${missing.join(', ')}`);
  if (!isOnPath('apt-get')) throw unavailable(missing, packages);
  if (process.getuid?.() === 0) installPackages(packages);
  else unpackPackages(packages);
  extendPath();
  const still = programs.filter((program) => !isOnPath(program));
  if (still.length > 0) throw unavailable(still, packages);
};

const installPackages = (packages: readonly string[]): void => {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  run('apt-get', ['update', '-q'], environment);
  run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], environment);
};

/** Without root: download the packages and what they depend on, and unpack them side by side. */
const unpackPackages = (packages: readonly string[]): void => {
  const downloads = join(tmpdir(), `tailrace-packages-${process.pid}`);
  mkdirSync(downloads, { recursive: true });
  mkdirSync(unpackedRoot, { recursive: true });
  try {
    const closure = spawnSync(
      'apt-cache',
      [
        'depends',
        '--recurse',
        '--no-recommends',
        '--no-suggests',
        '--no-conflicts',
        '--no-breaks',
        '--no-replaces',
        '--no-enhances',
        ...packages,
      ],
      { encoding: 'utf8' },
    );
    const names = closure.stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line));
    const isInstalled = (name: string): boolean => spawnSync('dpkg', ['-s', name]).status === 0;
    run(
      'apt-get',
      ['download', ...new Set(names.filter((name) => !isInstalled(name)))],
      process.env,
      downloads,
    );
    for (const file of readdirSync(downloads)) run('dpkg-deb', ['-x', join(downloads, file), unpackedRoot]);
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
};

const unpackedRoot = join(cacheDirectory, 'debian');

const extendPath = (): void => {
  const postgresRoots = ['/usr/lib/postgresql', join(unpackedRoot, 'usr/lib/postgresql')];
  const candidates = [
    ...postgresRoots.flatMap((root) =>
      existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : [],
    ),
    join(unpackedRoot, 'usr/bin'),
    '/usr/sbin',
  ];
  const path = (process.env['PATH'] ?? '').split(delimiter);
  process.env['PATH'] = [...new Set([...path, ...candidates.filter((folder) => existsSync(folder))])].join(
    delimiter,
  );
  const libraries = join(unpackedRoot, 'usr/lib/x86_64-linux-gnu');
  if (existsSync(libraries)) process.env['LD_LIBRARY_PATH'] = libraries;
};

/** Whether a program can be spawned by its name as PATH is now. */
export const isOnPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

export const run = (
  command: string,
  parameters: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  cwd: string = process.cwd(),
): void => {
  const result = spawnSync(command, parameters, { env: environment, cwd, encoding: 'utf8' });
  if (result.status !== 0)
    throw new Error(
      `${command} ${parameters.join(' ')} failed: ${result.error?.message ?? result.stderr.slice(-2000)}`,
    );
};

const unavailable = (programs: readonly string[], packages: readonly string[]): Error =>
  new Error(
    `the tests need ${programs.join(', ')} on PATH: install ${packages.join(', ')} (or Redis, Postgres, RocksDB tools of your platform)`,
  );
