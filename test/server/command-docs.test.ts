import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Reply, RespConnection } from '../../src/resp/index.js';
import { commandDocs } from '../../src/server/command-docs/index.js';
import type { ArgumentDoc } from '../../src/server/command-docs/syntax.js';
import { parseSyntax } from '../../src/server/command-docs/syntax.js';
import { CommandTable } from '../../src/server/command-table.js';
import { type RedisService, startRedis } from '../services/index.js';

const { entries } = new CommandTable();

/** How many words the shortest call has behind the command's name. */
const fewestWords = (docs: readonly ArgumentDoc[]): number =>
  docs.reduce((sum, doc) => sum + (doc.isOptional ? 0 : wordsOf(doc)), 0);

const wordsOf = ({ type, token, parts = [] }: ArgumentDoc): number => {
  if (type === 'pure-token') return 1;
  if (type === 'oneof') return Math.min(...parts.map(wordsOf));
  return (token === undefined ? 0 : 1) + (type === 'block' ? fewestWords(parts) : 1);
};

const isSubcommand = (name: string): boolean => name.includes(' ');

describe('what COMMAND DOCS tells', () => {
  let redis: RedisService;
  let connection: RespConnection;
  beforeAll(async () => {
    redis = await startRedis();
    connection = await RespConnection.open({ host: '127.0.0.1', port: redis.port });
  });
  afterAll(async () => {
    connection.close();
    await redis.stop();
  });

  it('is something of each command, and of nothing else', () => {
    const names = entries.map(({ name }) => name).sort();
    const told = [...commandDocs.keys()];
    expect(told.filter((name) => !isSubcommand(name)).sort()).toEqual(names);
    for (const name of told) expect(names).toContain(name.split(' ')[0]);
    for (const doc of commandDocs.values()) {
      expect(doc.summary, doc.name).toMatch(/^[A-Z].{8,}[^.]$/);
      expect(doc.complexity, doc.name).toMatch(/^O\(/);
      expect(doc.since, doc.name).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });

  it('has as few arguments as each command takes at least', () => {
    // Of these the subcommands tell what they take, or they are refused whatever they are given.
    const told = entries.filter(({ name }) => {
      const isContainer = [...commandDocs.keys()].some((other) => other.startsWith(`${name} `));
      const { group, syntax } = commandDocs.get(name) ?? { group: '', syntax: '' };
      return !isContainer && !(syntax === '' && (group === 'scripting' || group === 'cluster'));
    });
    expect(told.length).toBeGreaterThan(200);
    const fewest = told.map(({ name }) => [
      name,
      fewestWords(parseSyntax(commandDocs.get(name)?.syntax ?? '')),
    ]);
    expect(fewest).toEqual(told.map(({ name, arity }) => [name, Math.abs(arity) - 1]));
  });

  it('names the versions and groups that Redis does, for what Redis has', async () => {
    const shared = entries
      .map(({ name }) => name)
      .filter((name) => !commandDocs.get(name)?.summary.endsWith('(of Kvrocks)'));
    const theirs = (await connection.call('COMMAND', 'DOCS', ...shared)) as Reply[];
    const facts: [name: string, since: string, group: string][] = [];
    for (let i = 0; i < theirs.length; i += 2) {
      const of = (what: string): string => {
        const pairs = theirs[i + 1] as Reply[];
        return String(pairs[pairs.findIndex((fact) => String(fact) === what) + 1]);
      };
      facts.push([String(theirs[i]), of('since'), of('group')]);
    }
    expect(facts.length).toBeGreaterThan(200);
    expect(facts.map(([name]) => [name, commandDocs.get(name)?.since, commandDocs.get(name)?.group])).toEqual(
      facts,
    );
  });
});
