import { openServer } from './server-target.js';
import { targetKindOf } from './target-kind.js';
import type { TargetOptions, TargetPlace } from './target-place.js';

/** @throws TailraceError `USAGE` | `SINK_UNREACHABLE` | `SINK_REFUSED` | `CONFIG_INVALID` */
export const openTarget = async (options: TargetOptions, signal: AbortSignal): Promise<TargetPlace> => {
  const { url } = options;
  const kind = targetKindOf(url);
  if (kind === 'server') return await openServer(options, signal);
  // What the others need not wait for is loaded when it is wanted: here the sink of files …
  if (kind === 'file') return (await import('./file-target.js')).openFile(options);
  // … and here every sink, and the schema of configurations.
  const { openOther } = await import('./other-target.js');
  return await openOther(options, kind);
};
