import type { Change } from '../../src/kit/index.js';
import { type ByteColumn, isText } from './text-bytes.js';

/**
 * What a change has beside key, field, value, score and expiry, as JSON under the names of the change event; undefined
 * when there is nothing.
 */
export const changeDetails = (change: Change, values: ByteColumn): object | undefined => {
  switch (change.op) {
    case 'push':
      return { side: change.side };
    case 'pop':
      return { side: change.side, count: change.count };
    case 'streamMeta':
      return { command: change.command.map((word) => (typeof word === 'string' ? word : jsonBytes(word))) };
    case 'clear':
      return change.type === 'slot' ? { slot: change.slot } : undefined;
    case 'propagate':
      return {
        key: jsonBytes(change.key),
        ...(change.keyEnd === undefined ? {} : { keyEnd: jsonBytes(change.keyEnd) }),
        ...(change.value === undefined || values === 'bytea' ? {} : { value: jsonBytes(change.value) }),
      };
    case 'put':
      return putDetails(change, values);
    default:
      return undefined;
  }
};

const putDetails = (change: Change & { op: 'put' }, values: ByteColumn): object | undefined => {
  switch (change.type) {
    case 'list':
      return { listIndex: change.listIndex };
    case 'stream':
      return { fields: change.fields.map(jsonBytes) };
    case 'bitmap':
      return {
        offset: change.offset,
        ...(change.size === undefined ? {} : { size: change.size }),
        ...(values === 'text' ? { value: base64(change.value) } : {}),
      };
    case 'hyperloglog':
      return { segment: change.segment, ...(values === 'text' ? { value: base64(change.value) } : {}) };
    default:
      return undefined;
  }
};

/** Text, or `{"base64": …}`; also for a NUL, which jsonb cannot hold. */
const jsonBytes = (bytes: Uint8Array): string | { base64: string } => {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return isText(bytes) ? view.toString() : base64(bytes);
};

const base64 = (bytes: Uint8Array): { base64: string } => ({
  base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'),
});
