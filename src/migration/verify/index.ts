// An inner door: a migration does not wait until what compares is loaded.
export type { ComparedTarget } from './compared-target.js';
export { MirrorTarget } from './mirror-target.js';
export { NamespacesTarget } from './namespaces-target.js';
export { RecordTarget } from './record-target.js';
export { TargetKeys } from './target-keys.js';
export { Verification, type VerificationStatus } from './verification.js';
