import { ByteWriter, type Finding, slotCount, writeCommand } from '../../../src/kit/index.js';
import { findingsOf } from '../check-redis.js';
import { commandsFailed } from '../commands-failed.js';
import { controlFields, readControlState } from '../control-key.js';
import { asSinkError } from '../refusal.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { RootKey } from './root-key.js';
import { SlotLedger } from './slot-ledger.js';

/** Connects to every master and looks around, without claiming anything. */
export const checkCluster = async (
  nodes: ClusterNodes,
  root: RootKey,
  signal: AbortSignal,
): Promise<readonly Finding[]> => {
  try {
    await nodes.refresh(signal);
    await nodes.connectAll(signal);
    const { masters } = nodes;
    const detail = `a cluster of ${masters.length} masters: ${masters.join(', ')}`;
    const missing = missingSlots(nodes);
    const findings: Finding[] = [{ name: 'connection', status: 'ok', detail }, ...missing];
    for (const master of masters) {
      const info = await (await nodes.connection(master, signal)).call('INFO');
      if (!(info instanceof Buffer)) continue;
      for (const finding of findingsOf(info.toString()))
        if (finding.status !== 'ok') findings.push({ ...finding, detail: `${master}: ${finding.detail}` });
    }
    if (missing.length === 0) findings.push(...(await positionFindings(nodes, root, signal)));
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

/** Where the pipeline stands, and slots in which commands failed: they keep it from being claimed. */
const positionFindings = async (
  nodes: ClusterNodes,
  root: RootKey,
  signal: AbortSignal,
): Promise<Finding[]> => {
  const { epoch, born, position, used } = await root.read(signal);
  if (epoch === 0) return [{ name: 'position', status: 'ok', detail: `${root.name} is free` }];
  const { usedSlots } = new SlotLedger(used);
  const findings: Finding[] = [];
  for (const master of nodes.masters) {
    const ofMaster = usedSlots.filter((slot) => nodes.masterOf(slot) === master);
    const out = new ByteWriter(1024);
    for (const slot of ofMaster) writeCommand(out, ['HMGET', root.slotKey(slot), ...controlFields]);
    const connection = await nodes.connection(master, signal);
    for (const [at, reply] of (await connection.send(out.take(), ofMaster.length)).entries()) {
      const slot = ofMaster[at];
      const held = readControlState(root.slotKey(slot), reply);
      if (held.failed === 0 || held.epoch < born) continue;
      const { message, remedy } = commandsFailed(held, nodes.place, root.slotKey(slot), slot);
      findings.push({ name: 'position', status: 'fail', detail: message, remedy });
    }
  }
  if (findings.length > 0) return findings;
  const detail = `${root.name} is at sequence number ${position?.sequence ?? 0}`;
  return [{ name: 'position', status: 'ok', detail }];
};
