import {
  type Finding,
  type Reply,
  ReplyError,
  type RespConnection,
  type SlotOwner,
  type SlotState,
  slotFindings,
} from '../../src/kit/index.js';
import { meaningOf } from './refusal.js';

/**
 * What `tailrace doctor` asks a server: whether it can be polled, what it is, how long it keeps its log, and of a tailrace
 * whether it still has what its slots need.
 */
export const checkServer = async (
  connection: RespConnection,
  place: string,
  owner: SlotOwner,
): Promise<Finding[]> => {
  const findings: Finding[] = [{ name: 'connection', status: 'ok', detail: place }];
  const polled = await connection.call('POLLUPDATES', 0, 'MAX', 1);
  if (polled instanceof ReplyError) {
    const { message } = meaningOf(polled, place, 0);
    return [...findings, { name: 'log', status: 'fail', detail: message, ...remedyOf(polled, place) }];
  }
  findings.push({ name: 'log', status: 'ok', detail: 'POLLUPDATES answers' });
  const info = textOf(await connection.call('INFO'));
  const version = /^(kvrocks_version|tailrace_version|redis_version):(.*?)\r?$/m.exec(info);
  if (version !== null)
    findings.push({
      name: 'version',
      status: 'ok',
      detail: `${version[1].replace('_version', '')} ${version[2]}`,
    });
  if (/^role:slave/m.test(info))
    findings.push({
      name: 'role',
      status: 'warn',
      detail: 'it is a replica: after a failover its history may differ from that of its master',
      remedy:
        'That is noticed, and the pipeline then ends with HISTORY_MISMATCH; read the master to avoid it.',
    });
  findings.push(retentionOf(await connection.call('CONFIG', 'GET', 'rocksdb.wal_ttl_seconds')));
  if (version?.[1] === 'tailrace_version') findings.push(...(await checkSlots(connection, info, owner)));
  return findings;
};

const checkSlots = async (connection: RespConnection, info: string, owner: SlotOwner): Promise<Finding[]> => {
  const listed = await connection.call('SLOT', 'LIST');
  if (!Array.isArray(listed)) return []; // only an administrator is told
  const slots = listed.map(slotOf);
  const limit = await connection.call('CONFIG', 'GET', 'rocksdb.wal_size_limit_mb');
  const limitMebibytes = Array.isArray(limit) ? Number(textOf(limit[1])) : Number.NaN;
  const told = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const log = {
    firstSequence: told('log_first_sequence'),
    latestSequence: told('sequence'),
    bytes: told('log_bytes'),
    maxBytes: limitMebibytes > 0 ? limitMebibytes * 2 ** 20 : Number.POSITIVE_INFINITY,
  };
  return slotFindings(slots, log, owner);
};

const slotOf = (reply: Reply): SlotState => {
  const words = Array.isArray(reply) ? reply.map(textOf) : [];
  // Names and values in turn.
  const fields = new Map(
    words.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, words[i + 1]]] : [])),
  );
  return { name: fields.get('name') ?? '', acknowledged: Number(fields.get('acknowledged')) };
};

const retentionOf = (reply: Reply): Finding => {
  const seconds = Array.isArray(reply) && reply.length > 1 ? Number(textOf(reply[1])) : Number.NaN;
  if (!(seconds > 0))
    return { name: 'retention', status: 'ok', detail: 'the server sets no time for its log' };
  const detail = `the log is kept for ${Math.round(seconds / 60)} minutes`;
  if (seconds >= shortSeconds) return { name: 'retention', status: 'ok', detail };
  return {
    name: 'retention',
    status: 'warn',
    detail,
    remedy: 'A pipeline that is down for longer loses changes: raise rocksdb.wal_ttl_seconds at the source.',
  };
};

const remedyOf = (reply: ReplyError, place: string): { remedy?: string } => {
  const error = meaningOf(reply, place, 0);
  return 'remedy' in error && typeof error.remedy === 'string' ? { remedy: error.remedy } : {};
};

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString() : String(reply));

const shortSeconds = 3_600;
