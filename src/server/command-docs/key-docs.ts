import { docsOf } from './command-doc.js';

export const keyDocs = [
  ...docsOf(
    'generic',
    `
copy | 6.2.0 | O(N), N elements | Copies a key, its expiry too, to another one | source destination [DB index] [REPLACE]
del | 1.0.0 | O(N), N keys | Deletes keys of any type | key…
dump | 2.6.0 | O(N), N elements | Tells a key as the bytes that RESTORE takes, also that of any Redis | key
exists | 1.0.0 | O(N), N keys | Counts which of the keys exist; one that is named twice counts twice | key…
expire | 1.0.0 | O(1) | Lets a key expire after some seconds | key seconds [NX|XX|GT|LT]
expireat | 1.2.0 | O(1) | Lets a key expire at a time in seconds | key unix-time-seconds [NX|XX|GT|LT]
expiretime | 7.0.0 | O(1) | Tells when a key expires, in seconds | key
keys | 1.0.0 | O(N), N keys of the store | Lists the keys that match a pattern | pattern
kmetadata | 2.12.0 | O(1) | Tells what the metadata of a key says (of Kvrocks) | key
move | 1.0.0 | O(1) | Tells whether a key exists: there is one database | key db
object | 2.2.3 | O(1) | Tells what Redis would tell of how a key is kept |
object encoding | 2.2.3 | O(1) | Names the encoding that Redis has for such a value | key
object freq | 4.0.0 | O(1) | Refused: accesses are not counted | key
object idletime | 2.2.3 | O(1) | Always 0: accesses are not recorded | key
object refcount | 2.2.3 | O(1) | Always 1 for a key that exists | key
persist | 2.2.0 | O(1) | Takes the expiry from a key | key
pexpire | 2.6.0 | O(1) | Lets a key expire after some milliseconds | key milliseconds [NX|XX|GT|LT]
pexpireat | 2.6.0 | O(1) | Lets a key expire at a time in milliseconds | key unix-time-milliseconds [NX|XX|GT|LT]
pexpiretime | 7.0.0 | O(1) | Tells when a key expires, in milliseconds | key
pttl | 2.6.0 | O(1) | Tells how many milliseconds a key has left | key
randomkey | 1.0.0 | O(1) | Names some key |
rename | 1.0.0 | O(N), N elements | Gives a key another name, over whatever has it | key newkey
renamenx | 1.0.0 | O(N), N elements | Gives a key another name if that is free | key newkey
restore | 2.6.0 | O(N), N elements | Makes a key of the bytes that DUMP told | key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
scan | 2.8.0 | O(1) a call, O(N) for all | Walks the keys, a part in each call | cursor [MATCH pattern] [COUNT count] [TYPE type]
sort | 1.0.0 | O(N+M*log(M)), N elements, M answered | Sorts a list, a set or a sorted set, or stores it sorted | key [BY pattern] [LIMIT offset count] [(GET pattern)…] [ASC|DESC] [ALPHA] [STORE destination]
sort_ro | 7.0.0 | O(N+M*log(M)), N elements, M answered | SORT that only reads | key [BY pattern] [LIMIT offset count] [(GET pattern)…] [ASC|DESC] [ALPHA]
touch | 3.2.1 | O(N), N keys | Counts which of the keys exist | key…
ttl | 1.0.0 | O(1) | Tells how many seconds a key has left | key
type | 1.0.0 | O(1) | Names the type of a key's value | key
unlink | 4.0.0 | O(N), N keys | Deletes keys, as DEL does | key…
wait | 3.0.0 | O(1) | Always 0: there are no replicas to wait for | numreplicas timeout
`,
  ),
  ...docsOf(
    'string',
    `
append | 2.0.0 | O(N), N bytes together | Puts bytes behind a string, which is made if there is none | key value
cad | 2.0.5 | O(1) | Deletes a string if it holds the value (of Kvrocks) | key value
cas | 2.0.5 | O(1) | Sets a string if it holds the old value (of Kvrocks) | key old-value new-value [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds]
decr | 1.0.0 | O(1) | Takes one from a number | key
decrby | 1.0.0 | O(1) | Takes something from a number | key decrement
delex | 8.4.0 | O(1) | Deletes a key, or a string if it is what the condition says | key [IFEQ value|IFNE value|IFDEQ digest|IFDNE digest]
digest | 8.4.0 | O(N), N bytes of the string | Tells the hash of a string, XXH3 of 64 bits | key
get | 1.0.0 | O(1) | Reads a string | key
getdel | 6.2.0 | O(1) | Reads a string and deletes it | key
getex | 6.2.0 | O(1) | Reads a string and changes when it expires | key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]
getrange | 2.4.0 | O(N), N bytes answered | Reads a part of a string | key start end
getset | 1.0.0 | O(1) | Sets a string and answers what it was | key value
incr | 1.0.0 | O(1) | Adds one to a number | key
incrby | 1.0.0 | O(1) | Adds a whole number to a number | key increment
incrbyfloat | 2.6.0 | O(1) | Adds to a number with decimals, of which six are kept | key increment
lcs | 7.0.0 | O(N*M), bytes of each | Finds the longest common subsequence of two strings | key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]
mget | 1.0.0 | O(N), N keys | Reads several strings | key…
mset | 1.0.1 | O(N), N keys | Sets several strings at once | (key value)…
msetex | 8.4.0 | O(N), N keys | Sets several strings with one expiry, all or none of them | numkeys (key value)… [NX|XX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]
msetnx | 1.0.1 | O(N), N keys | Sets several strings if none of the keys exists | (key value)…
psetex | 2.6.0 | O(1) | Sets a string that expires after some milliseconds | key milliseconds value
set | 1.0.0 | O(1) | Sets a string, whatever the key was | key value [NX|XX|IFEQ old-value|IFNE old-value|IFDEQ digest|IFDNE digest] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]
setex | 2.0.0 | O(1) | Sets a string that expires after some seconds | key seconds value
setnx | 1.0.0 | O(1) | Sets a string if the key is free | key value
setrange | 2.2.0 | O(N), N bytes of the string | Writes over a part of a string | key offset value
strlen | 2.2.0 | O(1) | Tells how long a string is, in bytes | key
substr | 1.0.0 | O(N), N bytes answered | GETRANGE by its first name | key start end
`,
  ),
  ...docsOf(
    'bitmap',
    `
bitcount | 2.6.0 | O(N), N bytes | Counts the bits that are set | key [start end [BYTE|BIT]]
bitfield | 3.2.0 | O(1) for each operation | Reads, sets and counts numbers of any width within a bitmap | key [(GET encoding offset)|([OVERFLOW WRAP|SAT|FAIL] (SET encoding offset value)|(INCRBY encoding offset increment))]…
bitfield_ro | 6.0.0 | O(1) for each operation | Reads numbers of any width within a bitmap | key [(GET encoding offset)…]
bitop | 2.6.0 | O(N), N bytes of the longest | Combines bitmaps bit by bit into another one | AND|OR|XOR|NOT destkey key…
bitpos | 2.8.7 | O(N), N bytes | Finds the first bit that is set, or is not | key bit [start [end [BYTE|BIT]]]
getbit | 2.2.0 | O(1) | Reads a bit | key offset
setbit | 2.2.0 | O(1) | Sets or clears a bit, and answers what it was | key offset value
`,
  ),
  ...docsOf(
    'hyperloglog',
    `
pfadd | 2.8.9 | O(N), N elements | Adds elements to a HyperLogLog | key [element…]
pfcount | 2.8.9 | O(N), N keys | Estimates how many elements HyperLogLogs have seen together | key…
pfmerge | 2.8.9 | O(N), N keys | Merges HyperLogLogs into another one | destkey [sourcekey…]
`,
  ),
];
