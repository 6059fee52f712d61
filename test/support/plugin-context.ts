import type { PluginContext } from '../../src/kit/index.js';

const nothing = (): void => undefined;

/** What a pipeline of this name tells its source and sink; its log goes nowhere. */
export const pluginContext = (pipeline = 'orders'): PluginContext => ({
  pipeline,
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
});
