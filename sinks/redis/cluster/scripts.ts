import { createHash } from 'node:crypto';

/** A Lua script that nodes keep, and the name they keep it under. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') });

/**
 * KEYS: the root key. ARGV: a token of the claimant, and the epoch of its last claim (0 = it had none), behind which
 * nobody else may have claimed. Raises the epoch; answers all fields as they then are, and the version of the server behind
 * them (`redis`, 0 before Redis 7). Epochs are times in ms, so that they also rise over a root key that was deleted, or that a
 * failover took back; `born` is the epoch that made the key.
 */
export const claimRoot = script(`
local now = redis.call('TIME')
local last = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
if ARGV[2] ~= '0' and last > tonumber(ARGV[2]) and redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then
  return redis.error_reply('OVERTAKEN by epoch ' .. string.format('%.0f', last))
end
local epoch = string.format('%.0f', math.max(last + 1, now[1] * 1000 + math.floor(now[2] / 1000)))
redis.call('HSETNX', KEYS[1], 'born', epoch)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'owner', ARGV[1])
local fields = redis.call('HGETALL', KEYS[1])
fields[#fields + 1] = 'redis'
fields[#fields + 1] = string.format('%d', redis.REDIS_VERSION_NUM or 0)
return fields`);

/**
 * KEYS: the root key. ARGV: epoch, field, value … Sets the fields if the epoch still stands; answers 1, else 0; -1 where an
 * older epoch or none stands, which only a loss of data leaves.
 */
export const setRoot = script(`
local held = redis.call('HGET', KEYS[1], 'epoch')
if tonumber(held or 0) < tonumber(ARGV[1]) then return -1 end
if held ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1`);

/**
 * KEYS: the root key. ARGV: epoch. Removes it if the epoch still stands, and with it the slots' keys' worth; answers 1,
 * else 0.
 */
export const forgetRoot = script(`
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`);

/**
 * KEYS: a slot's key. ARGV: epoch, the root's birth. Takes the slot over; answers what it holds, or an error to one who
 * came late. What is older than the root is left from a pipeline that was reset, and goes.
 */
export const claimSlot = script(`
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
if epoch > tonumber(ARGV[1]) then return redis.error_reply('OVERTAKEN by epoch ' .. epoch) end
if epoch < tonumber(ARGV[2]) then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'count', 'crc', 'failed', 'failure')`);

/**
 * KEYS: a slot's key, then every key that the commands touch, so that a slot that is being moved is refused before
 * anything happens. ARGV: epoch, the sequence that the slot must hold, then sequence, count and crc of the new position
 * (an empty sequence leaves it), then each command as its number of words and its words.
 *
 * Answers how many commands failed; or, having done nothing, the epoch and the sequence that the slot holds, or an error
 * where the user may not run one of them (from Redis 7 on, which can be asked). The position is written first: what stops a
 * script (no memory, a replica, a full disk) then stops it before any command.
 */
export const applyToSlot = script(`
local held = redis.call('HMGET', KEYS[1], 'epoch', 'sequence')
if held[1] ~= ARGV[1] or (held[2] or '0') ~= ARGV[2] then return {held[1] or '0', held[2] or '0'} end
if redis.acl_check_cmd then
  local seen, at = {}, 6
  while at <= #ARGV do
    local name, behind = ARGV[at + 1], at + ARGV[at]
    if not seen[name] then
      seen[name] = true
      local known, allowed = pcall(redis.acl_check_cmd, unpack(ARGV, at + 1, behind))
      if known and not allowed then
        return redis.error_reply('NOPERM this user may not run ' .. name .. ' on ' .. string.sub(ARGV[at + 2] or '', 1, 100))
      end
    end
    at = behind + 1
  end
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'sequence', ARGV[3], 'count', ARGV[4], 'crc', ARGV[5]) end
local failed, first, at = 0, nil, 6
while at <= #ARGV do
  local behind = at + ARGV[at]
  local reply = redis.pcall(unpack(ARGV, at + 1, behind))
  if type(reply) == 'table' and reply.err then
    failed = failed + 1
    first = first or (ARGV[at + 1] .. ' ' .. string.sub(ARGV[at + 2] or '', 1, 100) .. ': ' .. reply.err)
  end
  at = behind + 1
end
if failed > 0 then redis.call('HSET', KEYS[1], 'failed', failed, 'failure', first) end
return failed`);

export const scripts: readonly Script[] = [claimRoot, setRoot, forgetRoot, claimSlot, applyToSlot];
