export { maxUnits, SpaceManager, type SpaceOptions } from './space-manager.js';
