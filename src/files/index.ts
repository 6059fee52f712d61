export {
  type Files,
  inaccessible,
  nodeFiles,
  openToRead,
  ownThreadFiles,
  refusePipe,
  replaceFile,
  temporaryPath,
  withFile,
} from './files.js';
export { findPackage } from './find-package.js';
export { importModule } from './import-module.js';
export { makeDirectory } from './make-directory.js';
export { openFileLimit } from './open-file-limit.js';
export { packageVersion } from './package-version.js';
export { describeHolder, type LockHolder, ProcessLock } from './process-lock.js';
export { requireWritable } from './require-writable.js';
export { SerialQueue } from './serial-queue.js';
