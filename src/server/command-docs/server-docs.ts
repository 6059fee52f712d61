import { docsOf } from './command-doc.js';

/** What is ours alone came with this version. */
const own = '0.1.0';

export const serverDocs = [
  ...docsOf(
    'connection',
    `
auth | 1.0.0 | O(N), N namespaces | Authenticates with the password, or the token of a namespace | [username] password
client | 2.4.0 | O(1) | Tells of connections and governs them |
client caching | 6.0.0 | O(1) | Refused: nothing is tracked | YES|NO
client getname | 2.6.9 | O(1) | Tells the name of this connection |
client getredir | 6.0.0 | O(1) | Always -1: there is no tracking |
client id | 5.0.0 | O(1) | Tells the number of this connection |
client info | 6.2.0 | O(1) | Tells of this connection |
client kill | 2.4.0 | O(N), N connections | Closes connections, by their address or by filters | ip:port|([ID client-id] [TYPE NORMAL|MASTER|SLAVE|REPLICA|PUBSUB] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes|no])
client list | 2.4.0 | O(N), N connections | Tells of all connections | [TYPE NORMAL|MASTER|REPLICA|PUBSUB] [ID client-id…]
client no-evict | 7.0.0 | O(1) | Accepted: no connection is evicted | ON|OFF
client no-touch | 7.2.0 | O(1) | Accepted: reading touches nothing | ON|OFF
client pause | 3.0.0 | O(1) | Holds back the commands of clients, or their writes alone, for some milliseconds | timeout [WRITE|ALL]
client reply | 3.2.0 | O(1) | Lets commands go unanswered | ON|OFF|SKIP
client setinfo | 7.2.0 | O(1) | Tells what library uses this connection | (LIB-NAME libname)|(LIB-VER libver)
client setname | 2.6.9 | O(1) | Names this connection | connection-name
client tracking | 6.0.0 | O(1) | Accepts OFF: nothing is tracked | ON|OFF
client trackinginfo | 6.2.0 | O(1) | Tells that nothing is tracked |
client unblock | 5.0.0 | O(1) | Ends the waiting of another connection | client-id [TIMEOUT|ERROR]
client unpause | 6.2.0 | O(N), N connections held back | Ends CLIENT PAUSE |
echo | 1.0.0 | O(1) | Answers its argument | message
hello | 6.0.0 | O(1) | Chooses RESP2 or RESP3, and authenticates | [protover [AUTH username password] [SETNAME clientname]]
ping | 1.0.0 | O(1) | Answers PONG, or its argument | [message]
quit | 1.0.0 | O(1) | Closes the connection |
reset | 6.2.0 | O(1) | Makes the connection as it was when it was new |
select | 1.0.0 | O(1) | Accepts database 0, the only one | index
`,
  ),
  ...docsOf(
    'server',
    `
acl | 6.0.0 | O(1) | Refused but for WHOAMI: there are no users but namespaces |
acl whoami | 6.0.0 | O(1) | Names the user: default |
command | 2.8.13 | O(N), N commands | Tells of all commands |
command count | 2.8.13 | O(1) | Counts the commands |
command docs | 7.0.0 | O(N), N commands | Tells what commands do and take | [command-name…]
command getkeys | 2.8.13 | O(N), N arguments | Tells which arguments of a call are keys | command [arg…]
command getkeysandflags | 7.0.0 | O(N), N arguments | Tells which arguments of a call are keys, and what it does with them | command [arg…]
command info | 2.8.13 | O(N), N commands | Tells of some commands | [command-name…]
command list | 7.0.0 | O(N), N commands | Lists the names of the commands | [FILTERBY PATTERN pattern]
config | 2.0.0 | O(N), N settings | Reads and changes settings while the server runs |
config get | 2.0.0 | O(N), N settings | Reads the settings whose names match | pattern…
config resetstat | 2.0.0 | O(N), N commands | Counts calls from 0 again |
config rewrite | 2.8.0 | O(1) | Refused: there is no config file |
config set | 2.0.0 | O(N), N settings | Changes settings, all or none | (parameter value)…
dbsize | 1.0.0 | O(N), N keys of the store | Counts the keys |
flushall | 1.0.0 | O(1) | Deletes the keys of all namespaces, by one record | [ASYNC|SYNC]
flushdb | 1.0.0 | O(1) | Deletes the keys of this namespace, by one record | [ASYNC|SYNC]
info | 1.0.0 | O(1) | Tells of the server, by sections | [section…]
lastsave | 1.0.0 | O(1) | Tells when the server started: everything since is in the log |
latency | 2.8.13 | O(1) | Answers that nothing was sampled: see SLOWLOG |
latency history | 2.8.13 | O(1) | Always empty | event
latency latest | 2.8.13 | O(1) | Always empty |
latency reset | 2.8.13 | O(1) | Always 0: nothing is kept | [event…]
memory | 4.0.0 | O(1) | Tells what uses memory |
memory doctor | 4.0.0 | O(1) | Tells what looks wrong |
memory malloc-stats | 4.0.0 | O(1) | Tells how full the parts of the heap are |
memory purge | 4.0.0 | O(1) | Accepted: memory is given back by itself |
memory stats | 4.0.0 | O(1) | Tells what uses memory, by owner |
memory usage | 4.0.0 | O(N), N samples | Tells about how many bytes a key takes in the store | key [SAMPLES count]
module | 4.0.0 | O(1) | Refused but for LIST: there are no modules |
module list | 4.0.0 | O(1) | Always empty |
monitor | 1.0.0 | O(1) | Shows every command from now on |
role | 2.8.12 | O(1) | Tells that this is the master, and its sequence number |
replicaof | 5.0.0 | O(1) | Accepts NO ONE: there is no replication | host port
shutdown | 1.0.0 | O(1) | Stops the server; what was answered is kept | [NOSAVE|SAVE] [NOW] [FORCE]
slaveof | 1.0.0 | O(1) | Accepts NO ONE, as REPLICAOF | host port
slowlog | 2.2.12 | O(1) | Tells which commands took long |
slowlog get | 2.2.12 | O(N), N answered | Tells of the newest slow commands | [count]
slowlog len | 2.2.12 | O(1) | Counts the slow commands that are kept |
slowlog reset | 2.2.12 | O(N), N kept | Forgets the slow commands |
time | 2.6.0 | O(1) | Tells the server's time: seconds, and microseconds of the second |

checkpoint | ${own} | O(1) | Makes, shows and opens durable views of the store; answers in JSON |
checkpoint close | ${own} | O(1) | Reads the newest data again |
checkpoint create | ${own} | O(1) | Makes a checkpoint | [NAME name] [LIFETIME lifetime] [UNIQUE|REPLACE] [HOLDLOG] [SOURCE reference] [(LABEL label value)…]
checkpoint delete | ${own} | O(1) | Deletes a checkpoint | reference
checkpoint export | ${own} | O(N), N bytes | Writes a checkpoint to a file of the server, or what changed since another | reference file [BASE base]
checkpoint list | ${own} | O(N), N checkpoints | Lists checkpoints | [NAME name] [STATE live|expired] [LABEL label value]
checkpoint open | ${own} | O(1) | Lets this connection read a checkpoint | reference
checkpoint refresh | ${own} | O(1) | Gives a checkpoint more time, or moves it to now | reference [LIFETIME lifetime|NEVER] [ADVANCE]
checkpoint restore | ${own} | O(N), N bytes | Makes a new store of a checkpoint | reference directory
checkpoint show | ${own} | O(1) | Shows a checkpoint | reference
compact | 1.0.0 | O(N), N records | Drops what deleted and expired collections left behind (of Kvrocks) |
flushmemtable | 2.13.0 | O(N), N bytes in memory | Writes what is in memory to the data file (of Kvrocks) | [ASYNC|SYNC]
disk | 2.2.0 | O(N), N elements | Tells how many bytes a key takes in the store (of Kvrocks) | USAGE key
kprofile | 2.13.0 | O(1) | Samples what memory is used for (of Kvrocks) | MEMORY ENABLE|DISABLE|STATUS|(DUMP directory)
movex | 2.9.0 | O(N), N elements | Moves a key into the namespace of a token (of Kvrocks) | key token
namespace | 1.0.0 | O(N), N namespaces | Makes and changes namespaces and their tokens (of Kvrocks) |
namespace add | 1.0.0 | O(1) | Makes a namespace | name token
namespace current | 1.0.0 | O(1) | Names the namespace of this connection |
namespace del | 1.0.0 | O(1) | Deletes a token: the data stay | name
namespace get | 1.0.0 | O(N), N namespaces | Tells the token of a namespace, or of all | name|*
namespace set | 1.0.0 | O(1) | Changes a token | name token
records | ${own} | O(N), N records | Reads whole keys of all namespaces as they are stored |
records get | ${own} | O(N), N records | Reads some keys | key…
records getupto | ${own} | O(N), N records | Reads some keys, but not larger ones than that | bytes key…
records next | ${own} | O(N), N records | Walks on behind the page before on this connection | [COUNT count] [BYTES bytes] [LARGEST bytes]
records raw | ${own} | O(N), N records | Reads all records, a part in each call | position [BYTES bytes]
records scan | ${own} | O(N), N records | Walks the keys, some in each call | after [COUNT count] [BYTES bytes] [LARGEST bytes]
`,
  ),
  ...docsOf(
    'transactions',
    `
discard | 2.0.0 | O(N), N commands queued | Forgets the transaction |
exec | 1.2.0 | O(N), N commands queued | Carries out the transaction: one batch of the log, all or nothing |
multi | 1.2.0 | O(1) | Begins a transaction |
unwatch | 2.2.0 | O(N), N keys | Watches no key any more |
watch | 2.2.0 | O(N), N keys | Lets the next EXEC fail if a key changes before it | key…
`,
  ),
  ...docsOf(
    'pubsub',
    `
mpublish | 2.6.0 | O(N+M), N listeners, M patterns | Sends several messages to a channel, through the log (of Kvrocks) | channel message…
psubscribe | 2.0.0 | O(N), N patterns | Listens to the channels that match patterns | pattern…
publish | 2.0.0 | O(N+M), N listeners, M patterns | Sends a message to a channel, through the log | channel message
pubsub | 2.8.0 | O(N), N channels | Tells of channels and who listens |
pubsub channels | 2.8.0 | O(N), N channels | Lists the channels that somebody listens to | [pattern]
pubsub numpat | 2.8.0 | O(1) | Counts the patterns that somebody listens to |
pubsub numsub | 2.8.0 | O(N), N channels | Counts the listeners of channels | [channel…]
pubsub shardchannels | 7.0.0 | O(N), N channels | Lists the shard channels that somebody listens to | [pattern]
pubsub shardnumsub | 7.0.0 | O(N), N channels | Counts the listeners of shard channels | [shardchannel…]
punsubscribe | 2.0.0 | O(N), N patterns | Listens to patterns no more | [pattern…]
spublish | 7.0.0 | O(N), N listeners | Sends a message to a shard channel, past the log | shardchannel message
ssubscribe | 7.0.0 | O(N), N channels | Listens to shard channels | shardchannel…
subscribe | 2.0.0 | O(N), N channels | Listens to channels | channel…
sunsubscribe | 7.0.0 | O(N), N channels | Listens to shard channels no more | [shardchannel…]
unsubscribe | 2.0.0 | O(N), N channels | Listens to channels no more | [channel…]
`,
  ),
  ...docsOf(
    'log',
    `
applybatch | 2.10.0 | O(N), N records | Commits the bytes of a write batch (of Kvrocks) | bytes [EXPECT key value]
pollupdates | 2.10.0 | O(N), N batches | Reads the write batches behind a sequence number (of Kvrocks, with options of our own) | sequence [MAX count] [STRICT] [FORMAT RAW|RESP|JSON|BINARY] [BLOCK milliseconds] [SINCE-TIME unix-time-milliseconds] [MATCH pattern]… [TYPE type]…
sequence | ${own} | O(1) | Tells the newest durable sequence number, or the newest one that reads see | [APPLIED]
slot | ${own} | O(1) | Keeps the log for consumers by name |
slot ack | ${own} | O(1) | Tells how far a consumer is | name sequence
slot create | ${own} | O(1) | Keeps the log for a consumer | name [sequence|LATEST]
slot drop | ${own} | O(1) | Forgets a consumer | name
slot list | ${own} | O(N), N slots | Lists the consumers |
streamupdates | ${own} | O(N), N batches | Pushes write batches as they commit | (ACK sequence)|END|(sequence [MAX count] [STRICT] [FORMAT RAW|RESP|JSON|BINARY] [SINCE-TIME unix-time-milliseconds] [MATCH pattern]… [TYPE type]… [WINDOW bytes])
walget | ${own} | O(N), N records | Tells the records of the batch that has a sequence number, for people | sequence [DETAIL]
`,
  ),
];
