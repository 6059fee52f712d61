import type { PipelineConfig } from './load.js';
import type { Problem } from './problem.js';

/** Positions and snapshots keep files that are named after a pipeline, or after it and a sink: those names must fit. */
export const requireFileNames = (pipelines: readonly PipelineConfig[], problems: Problem[]): void => {
  for (const { name, file, place, sinks } of pipelines) {
    if (!name) continue; // told of already
    const fault = faultOf(name);
    if (fault !== undefined) problems.push({ file, ...place, path: 'name', message: fault });
    else
      for (const sink of sinks) {
        const together = faultOf(`${name}.${sink.name}`);
        if (together !== undefined)
          problems.push({ ...sink.place, message: `its name, behind the pipeline's, ${together}` });
      }
  }
};

const faultOf = (name: string): string | undefined => {
  let fileName: string;
  try {
    fileName = encodeURIComponent(name);
  } catch {
    return 'holds half a character, after which no file can be named';
  }
  if (fileName.length <= longestName) return undefined;
  return `makes a file name of ${fileName.length} bytes and ${longestName} are the most: shorten it (a byte that is no letter, digit, "-", "_" or "." counts three)`;
};

/** What file systems take for the name of a file, with the longest ending that such files have. */
const longestName = 255 - '.json.excluded.tmp'.length;
