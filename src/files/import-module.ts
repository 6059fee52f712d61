import process from 'node:process';

/**
 * Loads a module of somebody else's.
 * @throws Error also when it waits for something that cannot come any more: Node.js would end the process without a word
 */
export const importModule = (specifier: string): Promise<Readonly<Record<string, unknown>>> =>
  new Promise((resolve, reject) => {
    const neverEnds = (): void => reject(new Error('a top-level await in it never ends'));
    process.once('beforeExit', neverEnds);
    import(specifier).then(resolve, reject).finally(() => process.off('beforeExit', neverEnds));
  });
