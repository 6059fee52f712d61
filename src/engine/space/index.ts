export { type Replay, SpaceJournal } from './space-journal.js';
export { maxUnits, type Run, SpaceManager, type SpaceOptions } from './space-manager.js';
export {
  type ReadUnits,
  readSpace,
  SpaceMap,
  type SpaceMapLocation,
  type SpaceMapPlan,
  type WriteUnits,
} from './space-map.js';
export type { SpacePin } from './space-pin.js';
export type { SpaceStates } from './space-states.js';
export { VersionedSpace, type VersionedSpaceOptions } from './versioned-space.js';
