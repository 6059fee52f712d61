export { addressUnavailable } from './address-unavailable.js';
export { asError } from './as-error.js';
export { codeOf } from './code-of.js';
export { messageOf } from './message-of.js';
export { type ErrorCode, type ErrorContext, isTailraceError, TailraceError } from './tailrace-error.js';
