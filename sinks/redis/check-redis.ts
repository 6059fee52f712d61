import {
  type Finding,
  isTailraceError,
  type Reply,
  ReplyError,
  type RespConnection,
  TailraceError,
} from '../../src/kit/index.js';
import { asSinkError } from './refusal.js';

/** What a check is told of a sink on a single Redis. */
export interface RedisCheck {
  readonly place: string;
  /** The position key. */
  readonly key: string;
  /** Databases that namespaces go to, beside the connection's own. */
  readonly databases: readonly number[];
  readonly home: number;
}

/** Connects and looks around, without claiming anything. */
export const checkRedis = async (
  connect: () => Promise<RespConnection>,
  { place, key, databases, home }: RedisCheck,
): Promise<readonly Finding[]> => {
  let connection: RespConnection | undefined;
  try {
    connection = await connect();
    const findings: Finding[] = [{ name: 'connection', status: 'ok', detail: place }];
    const info = textOf(await connection.call('INFO'));
    findings.push(...findingsOf(info));
    await requireDatabases(connection, databases, home);
    const epoch = textOf(await connection.call('HGET', key, 'epoch'));
    const sequence = textOf(await connection.call('HGET', key, 'sequence'));
    const detail = epoch === '' ? `${key} is free` : `${key} is at sequence number ${sequence || 0}`;
    findings.push({ name: 'position', status: 'ok', detail });
    return findings;
  } catch (error) {
    const { message, remedy, code } = asSinkError(error, place);
    const name = isTailraceError(error) || code === 'SINK_UNREACHABLE' ? 'connection' : 'permissions';
    return [{ name, status: 'fail', detail: message, remedy }];
  } finally {
    connection?.close();
  }
};

/** What INFO says that an operator should know before data goes there. */
export const findingsOf = (info: string): Finding[] => {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const findings: Finding[] = [];
  const version = field('redis_version');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < 6 || (major === 6 && minor < 2);
  findings.push({
    name: 'version',
    status: isOld ? 'warn' : 'ok',
    detail: `Redis ${version}`,
    ...(isOld ? { remedy: 'Use Redis 6.2 or later: older ones do not count the commands that fail.' } : {}),
  });
  if (field('role') === 'slave')
    findings.push({
      name: 'role',
      status: 'fail',
      detail: `it is a replica of ${field('master_host')}:${field('master_port')}`,
      remedy: 'Give the address of the master.',
    });
  const policy = field('maxmemory_policy');
  if (policy !== '' && policy !== 'noeviction' && field('maxmemory') !== '0')
    findings.push({
      name: 'eviction',
      status: 'warn',
      detail: `maxmemory-policy is ${policy}: the target forgets keys, the position among them`,
      remedy: 'Set maxmemory-policy to noeviction.',
    });
  if (field('aof_enabled') === '0')
    findings.push({
      name: 'durability',
      status: 'warn',
      detail:
        'appendonly is off: a crash of the target takes its newest data, and the pipeline delivers them again',
      remedy:
        'Set appendonly yes, or see that the source keeps its log longer than the target needs to save.',
    });
  return findings;
};

/** Leaves the connection in its own database. @throws TailraceError `SINK_REFUSED` when one does not exist */
export const requireDatabases = async (
  connection: RespConnection,
  databases: readonly number[],
  home: number,
): Promise<void> => {
  for (const database of databases) {
    const reply = await connection.call('SELECT', database);
    if (reply instanceof ReplyError)
      throw new TailraceError('SINK_REFUSED', `the target has no database ${database}: ${reply.message}`, {
        context: { database },
        remedy: 'Raise databases in its configuration, or change namespaces of this sink.',
        cause: reply,
      });
  }
  if (databases.length > 0) textOf(await connection.call('SELECT', home));
};

/** @throws ReplyError */
const textOf = (reply: Reply): string => {
  if (reply instanceof ReplyError) throw reply;
  return reply instanceof Buffer ? reply.toString() : String(reply ?? '');
};
