import type { Finding } from '../../../src/kit/index.js';
import { findingsOf } from '../check-redis.js';
import { asSinkError } from '../refusal.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { slotCount } from './hash-slot.js';

/** Connects to every master and looks around, without claiming anything. */
export const checkCluster = async (nodes: ClusterNodes, signal: AbortSignal): Promise<readonly Finding[]> => {
  try {
    await nodes.refresh(signal);
    await nodes.connectAll(signal);
    const { masters } = nodes;
    const detail = `a cluster of ${masters.length} masters: ${masters.join(', ')}`;
    const findings: Finding[] = [{ name: 'connection', status: 'ok', detail }, ...missingSlots(nodes)];
    for (const master of masters) {
      const info = await (await nodes.connection(master, signal)).call('INFO');
      if (!(info instanceof Buffer)) continue;
      for (const finding of findingsOf(info.toString()))
        if (finding.status !== 'ok') findings.push({ ...finding, detail: `${master}: ${finding.detail}` });
    }
    return findings;
  } catch (error) {
    const { message, remedy } = asSinkError(error, nodes.place);
    return [{ name: 'connection', status: 'fail', detail: message, remedy }];
  }
};

const missingSlots = (nodes: ClusterNodes): Finding[] => {
  let missing = 0;
  for (let slot = 0; slot < slotCount; slot++) if (nodes.masterOf(slot) === '') missing++;
  if (missing === 0) return [];
  return [
    {
      name: 'slots',
      status: 'fail',
      detail: `${missing} slots have no master`,
      remedy: 'Bring the missing masters back, or assign their slots: redis-cli --cluster fix.',
    },
  ];
};
