import type { PluginContext } from '../../src/kit/index.js';

/** A context whose log goes nowhere. */
export const silentContext = (pipeline: string): PluginContext => {
  const nothing = (): void => undefined;
  return { pipeline, log: { debug: nothing, info: nothing, warn: nothing, error: nothing } };
};
