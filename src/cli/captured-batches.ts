import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

/** The batches of a history of commands over all common types, captured from a real Kvrocks. */
export const readCapturedBatches = async (): Promise<Buffer[]> => {
  const url = new URL('../../../test/fixtures/kvrocks/history-a.batches.hex.gz', import.meta.url);
  const text = await promisify(gunzip)(await readFile(url));
  return text
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line, 'hex'));
};
