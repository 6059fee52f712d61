import process from 'node:process';
import fc from 'fast-check';

// As all that is random in tests, properties follow `SEED`; without it fast-check takes a new seed, and prints it when one fails.
const seed = process.env['SEED'];
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

export { fc };
