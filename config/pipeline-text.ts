import { statSync } from 'node:fs';
import { maxDocumentBytes } from './document.js';
import { readAtMost } from './read-at-most.js';

/**
 * The text of a pipeline file. A pipe, such as /dev/stdin or `<(…)` of a shell, gives its text once, and both what it names
 * and what it says is looked for: so it is remembered.
 */
export const readPipelineText = (file: string): string => {
  const known = ofPipes.get(file);
  if (known !== undefined) return known;
  const text = readAtMost(file, maxDocumentBytes);
  if (!statSync(file).isFile()) ofPipes.set(file, text);
  return text;
};

const ofPipes = new Map<string, string>();
