import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

// What the disk itself lets a process wait: ten times 4 KiB are appended to a file and synced, as far from each other as
// the checkpoints of the bench; prints the longest time in ms.
const [path = ''] = process.argv.slice(2);
const fd = openSync(path, 'wx');
const bytes = Buffer.alloc(4096, 1);
let longestMs = 0;
for (let i = 0; i < 10; i++) {
  await pause(200);
  const start = performance.now();
  writeSync(fd, bytes);
  fdatasyncSync(fd);
  longestMs = Math.max(longestMs, performance.now() - start);
}
process.stdout.write(`${longestMs}\n`);
