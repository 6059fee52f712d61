export { type Files, inaccessible, nodeFiles, replaceFile } from './files.js';
