export { type ErrorCode, type ErrorContext, isTailraceError, TailraceError } from './tailrace-error.js';
