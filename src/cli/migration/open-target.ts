import { openFile } from './file-target.js';
import { openServer } from './server-target.js';
import type { TargetOptions, TargetPlace } from './target-place.js';

/** @throws TailraceError `USAGE` | `SINK_UNREACHABLE` | `SINK_REFUSED` | `CONFIG_INVALID` */
export const openTarget = async (options: TargetOptions, signal: AbortSignal): Promise<TargetPlace> => {
  const { url } = options;
  if (/^rediss?:\/\//.test(url)) return await openServer(options, signal);
  if (/\.(ndjson|resp)$/.test(url)) return openFile(options);
  // Loads every sink and the schema of configurations, which the others need not wait for.
  const { openOther } = await import('./other-target.js');
  return await openOther(options);
};
