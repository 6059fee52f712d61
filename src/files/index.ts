export { type Files, inaccessible, nodeFiles, replaceFile } from './files.js';
export { makeDirectory } from './make-directory.js';
export { describeHolder, type LockHolder, ProcessLock } from './process-lock.js';
