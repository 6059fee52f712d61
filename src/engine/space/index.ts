export { SpaceJournal } from './space-journal.js';
export { maxUnits, type Run, SpaceManager } from './space-manager.js';
export { readSpace, SpaceMap, type SpaceMapLocation, type SpaceMapPlan } from './space-map.js';
export type { SpacePin } from './space-pin.js';
export { VersionedSpace } from './versioned-space.js';
