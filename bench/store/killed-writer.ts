import process from 'node:process';
import { Engine } from '../../src/engine/index.js';
import { EngineContender, recordBytes } from './contender.js';

// Writes 64 MiB behind the last flush of a store, says so, and waits to be killed.
const [path = '', count = '0'] = process.argv.slice(2);
const engine = await Engine.open(path, { memtableBytes: 512 << 20, sync: 'none' });
const writer = new EngineContender(engine, Number(count));
await writer.write(0, Math.ceil((64 << 20) / (recordBytes + 4)));
process.stdout.write('written\n');
setInterval(() => undefined, 60_000);
