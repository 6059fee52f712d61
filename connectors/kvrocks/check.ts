import { type Finding, type Reply, ReplyError, type RespConnection } from '../../src/kit/index.js';
import { meaningOf } from './refusal.js';

/** What `tailrace doctor` asks a server: whether it can be polled, what it is, and how long it keeps its log. */
export const checkServer = async (connection: RespConnection, place: string): Promise<Finding[]> => {
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
  return findings;
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
