// An inner door: how batches are framed as a log, without the log.
export { LogFramer } from '../log-framer.js';
