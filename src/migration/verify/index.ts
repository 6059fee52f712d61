// An inner door: a migration does not wait until what compares is loaded.
export type { ComparedTarget } from './compared-target.js';
export { type MirroredKeys, MirrorTarget } from './mirror-target.js';
export { NamespacesTarget } from './namespaces-target.js';
export { RecordTarget } from './record-target.js';
export { TargetKeys, type TargetNodes } from './target-keys.js';
export {
  type Difference,
  Verification,
  type VerificationOptions,
  type VerificationStatus,
} from './verification.js';
