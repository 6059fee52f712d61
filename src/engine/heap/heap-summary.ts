import process from 'node:process';

/** V8's sampling profile, as the inspector gives it. Ids and samples are absent where an older V8 does not tell. */
export interface SampledProfile {
  readonly head: SampledNode;
  readonly samples?: readonly { readonly size: number; readonly nodeId: number; readonly ordinal: number }[];
}

interface SampledNode {
  readonly id?: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children: readonly SampledNode[];
}

/** Bytes outside the JavaScript heap, by owner: memtable, log buffer, page cache, connections … */
export type MemoryOwners = Readonly<Record<string, number>>;

/** Bytes in use that were allocated by one chain of calls. */
export interface HeapStack {
  readonly bytes: number;
  readonly samples: number;
  /** `function file:line:column`, innermost first. */
  readonly frames: readonly string[];
}

/** What a dump says in a form that is easy to parse. Sizes in bytes; those of the heap are estimates from samples. */
export interface HeapSummary {
  readonly version: 1;
  readonly time: string;
  readonly pid: number;
  readonly profile: {
    readonly startedAt: string;
    readonly isActive: boolean;
    readonly samplingBytes: number;
  };
  /** What the process itself reports. */
  readonly process: NodeJS.MemoryUsage;
  readonly heap: {
    /** In use now, of what was allocated since sampling began. */
    readonly liveBytes: number;
    readonly liveSamples: number;
    /** Allocated since sampling began, collected or not. */
    readonly allocatedBytes: number;
    readonly allocatedSamples: number;
    /** The largest allocation in use; exact from a few times `samplingBytes` on, an upper bound below. */
    readonly largestAllocation: HeapStack;
  };
  /** Stacks by bytes in use, largest first. */
  readonly stacks: readonly HeapStack[];
  /** Functions by bytes in use that they allocated themselves, largest first. */
  readonly functions: readonly { readonly name: string; readonly bytes: number }[];
  readonly owners: MemoryOwners;
}

export interface SummaryContext {
  readonly samplingBytes: number;
  readonly startedAtMs: number;
  readonly isActive: boolean;
  readonly owners: MemoryOwners;
}

export const summarise = (profile: SampledProfile, context: SummaryContext): HeapSummary => {
  const frames = framesOf(profile.head);
  const byNode = new Map<number, { bytes: number; samples: number }>();
  let liveBytes = 0;
  let allocatedSamples = 0;
  let largest = { size: 0, nodeId: 0 };
  const samples = profile.samples ?? [];
  for (const sample of samples) {
    const sum = byNode.get(sample.nodeId) ?? { bytes: 0, samples: 0 };
    byNode.set(sample.nodeId, { bytes: sum.bytes + sample.size, samples: sum.samples + 1 });
    liveBytes += sample.size;
    // Samples are numbered as they are taken; only those of objects still in use are listed.
    allocatedSamples = Math.max(allocatedSamples, sample.ordinal);
    if (sample.size > largest.size) largest = sample;
  }
  const stackOf = (nodeId: number, bytes: number, samples: number): HeapStack => ({
    bytes,
    samples,
    frames: frames.get(nodeId) ?? [],
  });
  const stacks = [...byNode]
    .map(([nodeId, { bytes, samples }]) => stackOf(nodeId, bytes, samples))
    .sort((a, b) => b.bytes - a.bytes);
  return {
    version: 1,
    time: new Date().toISOString(),
    pid: process.pid,
    profile: {
      startedAt: new Date(context.startedAtMs).toISOString(),
      isActive: context.isActive,
      samplingBytes: context.samplingBytes,
    },
    process: process.memoryUsage(),
    heap: {
      liveBytes,
      liveSamples: samples.length,
      allocatedBytes: allocatedSamples * context.samplingBytes,
      allocatedSamples,
      largestAllocation: stackOf(largest.nodeId, largest.size, largest.size === 0 ? 0 : 1),
    },
    stacks: stacks.slice(0, stackLimit),
    functions: byFunction(stacks).slice(0, stackLimit),
    owners: context.owners,
  };
};

/** Frames of each node, innermost first. */
const framesOf = (head: SampledNode): Map<number, readonly string[]> => {
  const frames = new Map<number, readonly string[]>();
  const walk = (node: SampledNode, outer: readonly string[]): void => {
    const { functionName, url, lineNumber, columnNumber } = node.callFrame;
    const place = url === '' ? '' : ` ${url}:${lineNumber + 1}:${columnNumber + 1}`;
    const inner = functionName === '(root)' ? outer : [`${functionName || '(anonymous)'}${place}`, ...outer];
    if (node.id !== undefined) frames.set(node.id, inner);
    for (const child of node.children) walk(child, inner);
  };
  walk(head, []);
  return frames;
};

const byFunction = (stacks: readonly HeapStack[]): { name: string; bytes: number }[] => {
  const sums = new Map<string, number>();
  for (const { frames, bytes } of stacks) {
    const name = frames[0] ?? '(root)';
    sums.set(name, (sums.get(name) ?? 0) + bytes);
  }
  return [...sums].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
};

const stackLimit = 50;
