import {
  ByteWriter,
  type Finding,
  isTailraceError,
  type Reply,
  ReplyError,
  type RespConnection,
  TailraceError,
  writeCommand,
} from '../../src/kit/index.js';
import { commandsFailed } from './commands-failed.js';
import type { ControlKey, ControlState } from './control-key.js';
import { asSinkError, refusalKind } from './refusal.js';

/** What a check is told of a sink on a single Redis. */
export interface RedisCheck {
  readonly place: string;
  /** The position key. */
  readonly control: ControlKey;
  /** Databases that namespaces go to, beside the connection's own. */
  readonly databases: readonly number[];
  readonly home: number;
}

/** Connects and looks around, without claiming anything. */
export const checkRedis = async (
  connect: () => Promise<RespConnection>,
  { place, control, databases, home }: RedisCheck,
): Promise<readonly Finding[]> => {
  let connection: RespConnection | undefined;
  try {
    connection = await connect();
    const findings: Finding[] = [{ name: 'connection', status: 'ok', detail: place }];
    const info = await connection.call('INFO');
    findings.push(...(info instanceof ReplyError ? [unknownServer(info)] : findingsOf(textOf(info))));
    await requireDatabases(connection, databases, home);
    findings.push(positionFinding(await tryClaim(connection, control), place, control.name));
    return findings;
  } catch (error) {
    const { message, remedy, code } = asSinkError(error, place);
    const name = isTailraceError(error) || code === 'SINK_UNREACHABLE' ? 'connection' : 'permissions';
    return [{ name, status: 'fail', detail: message, remedy }];
  } finally {
    connection?.close();
  }
};

const positionFinding = (held: ControlState, place: string, key: string): Finding => {
  if (held.failed > 0) {
    const { message, remedy } = commandsFailed(held, place, key);
    return { name: 'position', status: 'fail', detail: message, remedy };
  }
  const detail =
    held.epoch === 0 ? `${key} is free` : `${key} is at sequence number ${held.position?.sequence ?? 0}`;
  return { name: 'position', status: 'ok', detail };
};

/** The sink goes without INFO: then it does not find out about commands that failed behind its back. */
const unknownServer = ({ message }: ReplyError): Finding => ({
  name: 'version',
  status: 'warn',
  detail: `it does not say what it is: ${message}`,
  remedy: 'Give the user the right to INFO: without it commands that fail are not counted.',
});

/** Sends what a claim sends, but for its EXEC. @throws ReplyError when it may not */
const tryClaim = async (connection: RespConnection, control: ControlKey): Promise<ControlState> => {
  const out = new ByteWriter(512);
  control.writeArm(out);
  writeCommand(out, ['MULTI']);
  const opened = await connection.send(out.take(), 3);
  // What follows a MULTI that is refused would be carried out at once.
  for (const reply of opened) if (reply instanceof ReplyError) throw reply;
  control.writeClaimTrial(out);
  for (const reply of await connection.send(out.take(), 3))
    if (reply instanceof ReplyError && asSinkError(reply, '').code === 'SINK_REFUSED') throw reply;
  return control.read(opened[1]);
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
    if (!(reply instanceof ReplyError)) continue;
    if (refusalKind(reply.message) !== 'command') throw reply; // it says nothing of the database
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
