import { describe, expect, it } from 'vitest';
import { matchesGlob } from '../../src/bytes/index.js';
import { CursorTable } from '../../src/data-model/commands/cursor-table.js';
import { type CommandServices, commandServices, Database } from '../../src/data-model/commands/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

const rounds = Number(process.env['WALKS'] ?? 15);

/** Names that a walk in the order of bytes could stumble over: empty, prefixes of others, the first and the last byte. */
const awkwardNames = [
  '',
  '\0',
  '\0\0',
  'a',
  'a\0',
  'a\0\0',
  'ab',
  'a\xff',
  '\xff',
  '\xff\xff',
  '*',
  '[a]',
  '\\',
];
const globs = ['*', 'm*', 'm1*', '*7', 'm?', '[a-m]*', '', 'a*', '\xff*', 'm[^5]*', '\\**', 'm42', 'zz*'];

type Walk = 'keys' | 'hash' | 'set' | 'zset';

/** A store that is written at random while it is walked: some elements stay, the others come and go. */
class Restless {
  readonly random: SeededRandom;
  readonly #database: Database;
  readonly #engine: Engine;
  readonly #advance: (ms: number) => void;
  readonly staying: ReadonlySet<string>;
  readonly #coming: readonly string[];
  readonly #walk: Walk;

  constructor(
    random: SeededRandom,
    walk: Walk,
    engine: Engine,
    services: CommandServices,
    namespace: string,
    advance: (ms: number) => void,
  ) {
    this.random = random;
    this.#walk = walk;
    this.#engine = engine;
    this.#database = new Database(engine, { services, namespace });
    this.#advance = advance;
    const names = [...awkwardNames, ...Array.from({ length: 20 + random.below(200) }, (_, i) => `m${i}`)];
    this.staying = new Set(names.filter(() => random.below(2) === 0));
    this.#coming = names.filter((name) => !this.staying.has(name));
  }

  /** What a key that stays is. */
  typeOf(name: string): string {
    return ['string', 'list', 'zset'][name.length % 3];
  }

  async run(...words: readonly (string | number)[]): Promise<unknown> {
    const [name, ...rest] = words;
    return this.#database.callBuffer(
      String(name),
      ...rest.map((word) => (typeof word === 'string' ? Buffer.from(word, 'latin1') : word)),
    );
  }

  async fill(): Promise<void> {
    for (const name of this.staying) await this.#add(name, this.typeOf(name));
    for (const name of this.#coming) if (this.random.below(2) === 0) await this.#add(name, 'string');
  }

  async #add(name: string, type: string): Promise<void> {
    if (this.#walk === 'hash') await this.run('HSET', 'h', name, `${this.random.next()}`);
    else if (this.#walk === 'set') await this.run('SADD', 's', name);
    else if (this.#walk === 'zset') await this.run('ZADD', 'z', this.random.next(), name);
    else if (type === 'string') await this.run('SET', name, 'v'.repeat(this.random.below(200)));
    else if (type === 'list') await this.run('LPUSH', name, 'e');
    else await this.run('ZADD', name, 1, 'e');
  }

  async #remove(name: string): Promise<void> {
    if (this.#walk === 'hash') await this.run('HDEL', 'h', name);
    else if (this.#walk === 'set') await this.run('SREM', 's', name);
    else if (this.#walk === 'zset') await this.run('ZREM', 'z', name);
    else await this.run('DEL', name);
  }

  /** One change that leaves alone what stays. */
  async disturb(): Promise<void> {
    const { random } = this;
    const name = random.pick(this.#coming);
    switch (random.below(8)) {
      case 0:
      case 1:
        await this.#add(name, random.pick(['string', 'list', 'zset'])).catch(() => this.#remove(name));
        break;
      case 2:
      case 3:
        await this.#remove(name);
        break;
      case 4: // written anew, with the same or another content
        for (const stays of this.staying)
          if (random.below(10) === 0) await this.#add(stays, this.typeOf(stays));
        break;
      case 5:
        await this.#engine.flush();
        break;
      case 6:
        if (this.#walk === 'keys') await this.run('RENAME', name, random.pick(this.#coming)).catch(() => 0);
        else await this.#moveAwayAndBack(random.pick(['h', 's', 'z']));
        break;
      default:
        if (this.#walk === 'keys') await this.run('PEXPIRE', name, 1 + random.below(20));
        this.#advance(random.below(10));
    }
  }

  async #moveAwayAndBack(key: string): Promise<void> {
    if ((await this.run('EXISTS', key)) === 0) return;
    await this.run('RENAME', key, 'elsewhere');
    await this.run('RENAME', 'elsewhere', key);
  }

  /** Walks once around, disturbed; what was found, as latin1. */
  async walkAround(words: readonly string[]): Promise<Set<string>> {
    const { random } = this;
    const found = new Set<string>();
    const before: string[] = this.#walk === 'keys' ? ['SCAN'] : [`${this.#walk[0]}SCAN`, this.#walk[0]];
    let cursor = '0';
    do {
      const count = random.below(4) === 0 ? [] : ['COUNT', String(1 + random.below(40))];
      const reply = await this.run(...before, cursor, ...words, ...count);
      const [next, items] = reply as [Buffer, Buffer[]];
      cursor = next.toString();
      const step = this.#walk === 'hash' || this.#walk === 'zset' ? 2 : 1;
      for (let i = 0; i < items.length; i += step) found.add(items[i].toString('latin1'));
      for (let i = random.below(6); i > 0; i--) await this.disturb();
      if (random.below(3) === 0) await this.walkBeside();
    } while (cursor !== '0');
    return found;
  }

  /** Another walk, which ends before this one goes on, and takes more steps than there is room for cursors. */
  async walkBeside(): Promise<void> {
    let cursor = '0';
    for (let steps = 0; steps < 30; steps++) {
      const [next] = (await this.run('SCAN', cursor, 'COUNT', '1')) as [Buffer];
      cursor = next.toString();
    }
  }
}

describe('a walk of what is written meanwhile', () => {
  it.each(['keys', 'hash', 'set', 'zset'] as const)('finds all that stays: %s', async (walk) => {
    const random = SeededRandom.fromEnvironment(`walks of ${walk}`);
    const directory = throwAwayDirectory('scan');
    await using engine = await Engine.open(directory.path, { sync: 'none', memtableBytes: 64 * 1024 });
    let now = Date.now();
    const services = { ...commandServices(() => now), cursors: new CursorTable(8) };
    for (let round = 0; round < rounds; round++) {
      const namespace = random.pick(['__namespace', 'ns', 'ns1', '\xff']);
      const restless = new Restless(random, walk, engine, services, namespace, (ms) => {
        now += ms;
      });
      await restless.run('FLUSHALL');
      await restless.fill();
      const stranger = new Database(engine, { services, namespace: 'ns0' });
      for (const key of ['of another namespace', 'h', 's', 'z'])
        await stranger.call('SADD', key, 'of another');
      const glob = random.below(3) === 0 ? undefined : random.pick(globs);
      const type =
        walk === 'keys' && random.below(3) === 0 ? random.pick(['string', 'list', 'zset']) : undefined;
      const found = await restless.walkAround([
        ...(glob === undefined ? [] : ['MATCH', glob]),
        ...(type === undefined ? [] : ['TYPE', type]),
      ]);
      const isWanted = (name: string): boolean =>
        matchesGlob(Buffer.from(glob ?? '*', 'latin1'), Buffer.from(name, 'latin1')) &&
        (type === undefined || type === restless.typeOf(name));
      const missing = [...restless.staying].filter((name) => isWanted(name) && !found.has(name));
      expect(missing, `round ${round}, MATCH ${glob} TYPE ${type}`).toEqual([]);
      expect([...found].filter((name) => name.startsWith('of another'))).toEqual([]);
    }
    directory.remove();
  });
});
