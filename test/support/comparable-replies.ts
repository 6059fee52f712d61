/** Answers whose order is nobody's promise; the number is how many items belong together. */
const unordered = new Map(
  Object.entries({
    HGETALL: 2,
    HKEYS: 1,
    HVALS: 1,
    SMEMBERS: 1,
    SRANDMEMBER: 1,
    HRANDFIELD: 1,
    ZRANDMEMBER: 1,
    SPOP: 1,
    SUNION: 1,
    SINTER: 1,
    SDIFF: 1,
    KEYS: 1,
    // Places at the same distance come in any order.
    GEORADIUS: 1,
    GEORADIUS_RO: 1,
    GEORADIUSBYMEMBER: 1,
    GEOSEARCH: 1,
  }),
);
const scans = new Map(Object.entries({ SCAN: 1, HSCAN: 2, SSCAN: 1, ZSCAN: 2 }));

const inGroups = (items: readonly unknown[], size: number): unknown[] =>
  Array.from({ length: items.length / size }, (_, group) =>
    JSON.stringify(items.slice(group * size, (group + 1) * size)),
  ).sort();

/** Rows of XPENDING without how long an entry waits, of XINFO CONSUMERS without when a consumer was seen. */
const withoutTimes = (rows: readonly unknown[]): unknown[] =>
  rows.map((row) => (Array.isArray(row) ? (row[0] === 'name' ? row.slice(0, 4) : row.with(2, '')) : row));

/** A reply, by the command's name, in a form that two servers must share: sorted where the order is chance. */
export const comparable = (name: string, reply: unknown): unknown => {
  const scanned = scans.get(name);
  if (scanned !== undefined && Array.isArray(reply)) return [reply[0], inGroups(reply[1], scanned)];
  if ((name === 'XPENDING' || name === 'XINFO') && Array.isArray(reply) && Array.isArray(reply[0]))
    return withoutTimes(reply);
  const group = unordered.get(name);
  return group !== undefined && Array.isArray(reply) ? inGroups(reply, group) : reply;
};
