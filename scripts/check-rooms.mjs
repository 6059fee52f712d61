#!/usr/bin/env node
// Checks the order of the rooms: a room imports only rooms below it, only through their doors (index.ts),
// and nowhere do imports form a cycle. The order is the one in ARCHITECTURE.md.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Rooms, lowest floor first. A room may import every room listed before it, unless `only` narrows that. */
const rooms = [
  { name: 'src/bytes' },
  { name: 'src/errors' },
  { name: 'src/files' },
  { name: 'src/resp' },
  { name: 'src/compression' },
  { name: 'src/write-batch' },
  { name: 'src/engine' },
  { name: 'src/rocksdb' },
  { name: 'src/data-model' },
  { name: 'src/server' },
  { name: 'src/kit', except: ['src/server'] },
  { name: 'src/pipeline', except: ['src/server'] },
  { name: 'src/admin', except: ['src/server'] },
  { name: 'src/migration', except: ['src/server', 'src/admin'] },
  { name: 'config', only: ['src/bytes', 'src/errors', 'src/kit'] },
  { name: 'connectors', only: ['src/errors', 'src/kit', 'src/engine'], apart: true },
  { name: 'sinks', only: ['src/errors', 'src/kit'], apart: true },
  { name: 'src/cli' },
  { name: 'src' },
  { name: 'test' },
  { name: 'bench' },
];

const root = resolve(import.meta.dirname, '..');
const files = rooms
  .map((room) => room.name)
  .filter((name) => existsSync(join(root, name)))
  .flatMap((name) =>
    readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.includes('fixtures'))
      .map((file) => `${name}/${file}`),
  );
const unique = [...new Set(files)];

const roomOf = (file) =>
  rooms.filter((room) => file.startsWith(`${room.name}/`)).sort((a, b) => b.name.length - a.name.length)[0];

/** `isTyped`: imports of types alone count too; they are gone at run time and so form no cycles. */
const importsOf = (file, isTyped) => {
  const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^'"`;]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
  );
  return [...found]
    .filter((match) => isTyped || !/^\s*(?:import|export)\s+type\b/.test(match[0]))
    .map((match) => match[1] ?? match[2])
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => relative(root, resolve(root, dirname(file), specifier)).replace(/\.js$/, '.ts'));
};

const faults = [];
const graph = new Map(unique.map((file) => [file, importsOf(file, false)]));
for (const file of unique) {
  const targets = importsOf(file, true);
  const from = roomOf(file);
  for (const target of targets) {
    const to = roomOf(target);
    if (to === undefined) continue;
    if (from === to) {
      const part = (path) => path.split('/')[1];
      if (from.apart && part(file) !== part(target))
        faults.push(`${file} imports ${target}: ${from.name}/* stand apart`);
      continue;
    }
    const isBelow = rooms.indexOf(to) < rooms.indexOf(from);
    const isAllowed = from.only ? from.only.includes(to.name) : !from.except?.includes(to.name);
    if (!isBelow || !isAllowed)
      faults.push(`${file} imports ${target}: ${from.name} may not know ${to.name}`);
    const isDoor = target.endsWith('/index.ts');
    if (!isDoor && to.name.startsWith('src/') && from.name !== 'test' && from.name !== 'bench')
      faults.push(`${file} imports ${target}: import the door ${to.name}/index.ts`);
  }
}

// Depth-first search over the import graph; a file met again while still open closes a cycle.
const state = new Map();
const walk = (file, path) => {
  if (state.get(file) === 'done' || !graph.has(file)) return;
  if (state.get(file) === 'open') {
    faults.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    return;
  }
  state.set(file, 'open');
  for (const target of graph.get(file)) walk(target, [...path, file]);
  state.set(file, 'done');
};
for (const file of graph.keys()) walk(file, []);

for (const fault of faults) console.error(fault);
console.log(`rooms: ${unique.length} files, ${faults.length} faults`);
process.exit(faults.length > 0 ? 1 : 0);
