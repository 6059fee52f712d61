import { docsOf } from './command-doc.js';

export const collectionDocs = [
  ...docsOf(
    'hash',
    `
hdel | 2.0.0 | O(N), N fields | Deletes fields | key field…
hexists | 2.0.0 | O(1) | Tells whether there is a field | key field
hget | 2.0.0 | O(1) | Reads a field | key field
hgetall | 2.0.0 | O(N), N fields | Reads all fields and values | key
hincrby | 2.0.0 | O(1) | Adds a whole number to a field's | key field increment
hincrbyfloat | 2.6.0 | O(1) | Adds to a field's number with decimals, of which six are kept | key field increment
hkeys | 2.0.0 | O(N), N fields | Lists the names of all fields | key
hlen | 2.0.0 | O(1) | Counts the fields | key
hmget | 2.0.0 | O(N), N fields asked for | Reads several fields | key field…
hmset | 2.0.0 | O(N), N fields | Sets several fields, as HSET does | key (field value)…
hrandfield | 6.2.0 | O(N), N answered | Names some fields by chance | key [count [WITHVALUES]]
hrangebylex | 2.3.0 | O(log(N)+M), N fields, M answered | Reads the fields between two names, in order (of Kvrocks) | key min max [LIMIT offset count] [REV]
hscan | 2.8.0 | O(1) a call, O(N) for all | Walks the fields, a part in each call | key cursor [MATCH pattern] [COUNT count]
hset | 2.0.0 | O(N), N fields | Sets fields, and counts those that are new | key (field value)…
hsetexpire | 2.12.0 | O(N), N fields | Sets fields and lets the whole hash expire after some seconds (of Kvrocks) | key seconds (field value)…
hsetnx | 2.0.0 | O(1) | Sets a field if there is none | key field value
hstrlen | 3.2.0 | O(1) | Tells how long a field's value is, in bytes | key field
hvals | 2.0.0 | O(N), N fields | Lists all values | key
`,
  ),
  ...docsOf(
    'list',
    `
blmove | 6.2.0 | O(1) | LMOVE that waits for an element | source destination LEFT|RIGHT LEFT|RIGHT timeout
blmpop | 7.0.0 | O(N+M), N keys, M popped | LMPOP that waits for an element | timeout numkeys key… LEFT|RIGHT [COUNT count]
blpop | 2.0.0 | O(N), N keys | LPOP from the first list that has or gets an element | key… timeout
brpop | 2.0.0 | O(N), N keys | RPOP from the first list that has or gets an element | key… timeout
brpoplpush | 2.2.0 | O(1) | RPOPLPUSH that waits for an element | source destination timeout
lindex | 1.0.0 | O(1) | Reads the element at an index, negative from the end | key index
linsert | 2.2.0 | O(N), N elements | Inserts an element before or behind another one | key BEFORE|AFTER pivot element
llen | 1.0.0 | O(1) | Counts the elements | key
lmove | 6.2.0 | O(1) | Moves an element from one end of a list to one of another | source destination LEFT|RIGHT LEFT|RIGHT
lmpop | 7.0.0 | O(N+M), N keys, M popped | Pops from the first list that is not empty | numkeys key… LEFT|RIGHT [COUNT count]
lpop | 1.0.0 | O(N), N popped | Takes elements from the left end | key [count]
lpos | 6.0.6 | O(N), N elements | Finds where an element stands | key element [RANK rank] [COUNT num-matches] [MAXLEN len]
lpush | 1.0.0 | O(N), N added | Adds elements at the left end, one after the other | key element…
lpushx | 2.2.0 | O(N), N added | LPUSH to a list that exists | key element…
lrange | 1.0.0 | O(N), N answered | Reads the elements between two indexes | key start stop
lrem | 1.0.0 | O(N), N elements | Removes elements of a value, from the left, the right (negative) or all (0) | key count element
lset | 1.0.0 | O(1) | Sets the element at an index | key index element
ltrim | 1.0.0 | O(N), N removed | Keeps the elements between two indexes alone | key start stop
rpop | 1.0.0 | O(N), N popped | Takes elements from the right end | key [count]
rpoplpush | 1.2.0 | O(1) | Moves the last element to the front of another list | source destination
rpush | 1.0.0 | O(N), N added | Adds elements at the right end | key element…
rpushx | 2.2.0 | O(N), N added | RPUSH to a list that exists | key element…
`,
  ),
  ...docsOf(
    'set',
    `
sadd | 1.0.0 | O(N), N members | Adds members, and counts those that are new | key member…
scard | 1.0.0 | O(1) | Counts the members | key
sdiff | 1.0.0 | O(N), N members of all | What the first set has and no other | key…
sdiffstore | 1.0.0 | O(N), N members of all | Stores what SDIFF answers | destination key…
sinter | 1.0.0 | O(N*M), N members of the smallest, M sets | What all sets have | key…
sintercard | 7.0.0 | O(N*M), N members of the smallest, M sets | Counts what all sets have, up to a limit | numkeys key… [LIMIT limit]
sinterstore | 1.0.0 | O(N*M), N members of the smallest, M sets | Stores what SINTER answers | destination key…
sismember | 1.0.0 | O(1) | Tells whether something is a member | key member
smembers | 1.0.0 | O(N), N members | Lists all members | key
smismember | 6.2.0 | O(N), N asked for | Tells for each whether it is a member | key member…
smove | 1.0.0 | O(1) | Moves a member to another set | source destination member
spop | 1.0.0 | O(N), N popped | Takes members by chance | key [count]
srandmember | 1.0.0 | O(N), N answered | Names members by chance; with a negative count, some more than once | key [count]
srem | 1.0.0 | O(N), N members | Removes members | key member…
sscan | 2.8.0 | O(1) a call, O(N) for all | Walks the members, a part in each call | key cursor [MATCH pattern] [COUNT count]
sunion | 1.0.0 | O(N), N members of all | What any of the sets has | key…
sunionstore | 1.0.0 | O(N), N members of all | Stores what SUNION answers | destination key…
`,
  ),
  ...docsOf(
    'sorted-set',
    `
bzmpop | 7.0.0 | O(K+M*log(N)), K keys, M popped | ZMPOP that waits for a member | timeout numkeys key… MIN|MAX [COUNT count]
bzpopmax | 5.0.0 | O(log(N)) | ZPOPMAX from the first set that has or gets a member | key… timeout
bzpopmin | 5.0.0 | O(log(N)) | ZPOPMIN from the first set that has or gets a member | key… timeout
zadd | 1.2.0 | O(M*log(N)), M added | Adds members with their scores, or changes the scores | key [NX|XX] [GT|LT] [CH] [INCR] (score member)…
zcard | 1.2.0 | O(1) | Counts the members | key
zcount | 2.0.0 | O(log(N)+M), M counted | Counts the members between two scores | key min max
zdiff | 6.2.0 | O(N), N members of all | What the first set has and no other | numkeys key… [WITHSCORES]
zdiffstore | 6.2.0 | O(N), N members of all | Stores what ZDIFF answers | destination numkeys key…
zincrby | 1.2.0 | O(log(N)) | Adds to the score of a member | key increment member
zinter | 6.2.0 | O(N*K+M*log(M)), N members of the smallest, K sets, M answered | What all sets have, with their scores combined | numkeys key… [WEIGHTS weight…] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
zintercard | 7.0.0 | O(N*K), N members of the smallest, K sets | Counts what all sets have, up to a limit | numkeys key… [LIMIT limit]
zinterstore | 2.0.0 | O(N*K+M*log(M)), N members of the smallest, K sets, M stored | Stores what ZINTER answers | destination numkeys key… [WEIGHTS weight…] [AGGREGATE SUM|MIN|MAX]
zlexcount | 2.8.9 | O(log(N)+M), M counted | Counts the members between two members, where all scores are equal | key min max
zmpop | 7.0.0 | O(K+M*log(N)), K keys, M popped | Pops from the first set that is not empty | numkeys key… MIN|MAX [COUNT count]
zmscore | 6.2.0 | O(M), M asked for | Reads the scores of several members | key member…
zpopmax | 5.0.0 | O(M*log(N)), M popped | Takes the members with the highest scores | key [count]
zpopmin | 5.0.0 | O(M*log(N)), M popped | Takes the members with the lowest scores | key [count]
zrandmember | 6.2.0 | O(M), M answered | Names members by chance; with a negative count, some more than once | key [count [WITHSCORES]]
zrange | 1.2.0 | O(log(N)+M), M answered | Reads the members between two ranks, scores or members | key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
zrangebylex | 2.8.9 | O(log(N)+M), M answered | Reads the members between two members, where all scores are equal | key min max [LIMIT offset count]
zrangebyscore | 1.0.5 | O(log(N)+M), M answered | Reads the members between two scores | key min max [WITHSCORES] [LIMIT offset count]
zrangestore | 6.2.0 | O(log(N)+M), M stored | Stores what ZRANGE answers | dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]
zrank | 2.0.0 | O(N) | Tells how many members stand before one, by the lowest score | key member
zrem | 1.2.0 | O(M*log(N)), M removed | Removes members | key member…
zremrangebylex | 2.8.9 | O(log(N)+M), M removed | Removes the members between two members, where all scores are equal | key min max
zremrangebyrank | 2.0.0 | O(N+M), M removed | Removes the members between two ranks | key start stop
zremrangebyscore | 1.2.0 | O(log(N)+M), M removed | Removes the members between two scores | key min max
zrevrange | 1.2.0 | O(log(N)+M), M answered | Reads the members between two ranks, the highest score first | key start stop [WITHSCORES]
zrevrangebylex | 2.8.9 | O(log(N)+M), M answered | ZRANGEBYLEX from the other end | key max min [LIMIT offset count]
zrevrangebyscore | 2.2.0 | O(log(N)+M), M answered | ZRANGEBYSCORE from the highest score down | key max min [WITHSCORES] [LIMIT offset count]
zrevrank | 2.0.0 | O(N) | Tells how many members stand before one, by the highest score | key member
zscan | 2.8.0 | O(1) a call, O(N) for all | Walks the members and scores, a part in each call | key cursor [MATCH pattern] [COUNT count]
zscore | 1.2.0 | O(1) | Reads the score of a member | key member
zunion | 6.2.0 | O(N+M*log(M)), N members of all, M answered | What any of the sets has, with their scores combined | numkeys key… [WEIGHTS weight…] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
zunionstore | 2.0.0 | O(N+M*log(M)), N members of all, M stored | Stores what ZUNION answers | destination numkeys key… [WEIGHTS weight…] [AGGREGATE SUM|MIN|MAX]
`,
  ),
  ...docsOf(
    'geo',
    `
geoadd | 3.2.0 | O(M*log(N)), M added | Adds places with their coordinates | key [NX|XX] [CH] (longitude latitude member)…
geodist | 3.2.0 | O(1) | Tells how far two places are from each other | key member1 member2 [M|KM|FT|MI]
geohash | 3.2.0 | O(M), M asked for | Tells places as geohash strings | key [member…]
geopos | 3.2.0 | O(M), M asked for | Reads the coordinates of places | key [member…]
georadius | 3.2.0 | O(log(N)+M), M in the box around it | Finds the places around a point, or stores them | key longitude latitude radius M|KM|FT|MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] [STORE key|STOREDIST key]
georadius_ro | 3.2.10 | O(log(N)+M), M in the box around it | Finds the places around a point | key longitude latitude radius M|KM|FT|MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]
georadiusbymember | 3.2.0 | O(log(N)+M), M in the box around it | Finds the places around another one, or stores them | key member radius M|KM|FT|MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] [STORE key|STOREDIST key]
georadiusbymember_ro | 3.2.10 | O(log(N)+M), M in the box around it | Finds the places around another one | key member radius M|KM|FT|MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]
geosearch | 6.2.0 | O(log(N)+M), M in the box around it | Finds the places within a circle or a box | key FROMMEMBER member|(FROMLONLAT longitude latitude) (BYRADIUS radius M|KM|FT|MI)|(BYBOX width height M|KM|FT|MI) [ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]
geosearchstore | 6.2.0 | O(log(N)+M), M in the box around it | Stores the places within a circle or a box | destination source FROMMEMBER member|(FROMLONLAT longitude latitude) (BYRADIUS radius M|KM|FT|MI)|(BYBOX width height M|KM|FT|MI) [ASC|DESC] [COUNT count [ANY]] [STOREDIST]
`,
  ),
  ...docsOf(
    'stream',
    `
xack | 5.0.0 | O(N), N ids | Takes entries from those that a group still owes an acknowledgement | key group id…
xadd | 5.0.0 | O(1), O(N) when trimming N | Adds an entry | key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id (field value)…
xautoclaim | 6.2.0 | O(N), N looked at | Takes over entries that have been pending for long, whoever has them | key group consumer min-idle-time start [COUNT count] [JUSTID]
xclaim | 5.0.0 | O(N), N ids | Takes over pending entries | key group consumer min-idle-time id… [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
xdel | 5.0.0 | O(N), N ids | Deletes entries | key id…
xgroup | 5.0.0 | O(1) | Makes and changes consumer groups |
xgroup create | 5.0.0 | O(1) | Makes a group | key group id|$ [MKSTREAM] [ENTRIESREAD entries-read]
xgroup createconsumer | 6.2.0 | O(1) | Makes a consumer of a group | key group consumer
xgroup delconsumer | 5.0.0 | O(N), N pending | Deletes a consumer with what is pending for it | key group consumer
xgroup destroy | 5.0.0 | O(N), N records of the group | Deletes a group | key group
xgroup setid | 5.0.0 | O(1) | Sets what a group has last been given | key group id|$ [ENTRIESREAD entries-read]
xinfo | 5.0.0 | O(1) | Tells of streams and groups |
xinfo consumers | 5.0.0 | O(N), N consumers | Tells of the consumers of a group | key group
xinfo groups | 5.0.0 | O(N), N groups | Tells of the groups of a stream | key
xinfo stream | 5.0.0 | O(1), O(N) with FULL | Tells of a stream, with FULL also its entries, groups and consumers | key [FULL [COUNT count]]
xlen | 5.0.0 | O(1) | Counts the entries | key
xpending | 5.0.0 | O(N), N answered | Tells of the entries that a group still owes an acknowledgement | key group [[IDLE min-idle-time] start end count [consumer]]
xrange | 5.0.0 | O(N), N answered | Reads the entries between two ids | key start end [COUNT count]
xread | 5.0.0 | O(N), N answered | Reads what lies behind an id of each stream, or waits for it | [COUNT count] [BLOCK milliseconds] STREAMS key… id…
xreadgroup | 5.0.0 | O(N), N answered | Reads as a consumer of a group: new entries, or its pending ones | GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key… id…
xrevrange | 5.0.0 | O(N), N answered | Reads the entries between two ids, the newest first | key end start [COUNT count]
xsetid | 5.0.0 | O(1) | Sets the last id of a stream | key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
xtrim | 5.0.0 | O(N), N removed | Removes the oldest entries | key MAXLEN|MINID [=|~] threshold [LIMIT count]
`,
  ),
];
