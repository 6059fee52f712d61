export { type ConsumerSlot, ConsumerSlots, readSlots } from './consumer-slots.js';
export {
  defaultRetention,
  type LogHold,
  LogRetention,
  type RetentionEvent,
  type RetentionOptions,
  type RetentionState,
} from './log-retention.js';
