import { docsOf } from './command-doc.js';

/** Types that Redis has in modules, or not at all; versions are those of Kvrocks. */
export const moduleDocs = [
  ...docsOf(
    'json',
    `
json.arrappend | 2.7.0 | O(N), N bytes of the document | Adds values at the end of arrays | key path value…
json.arrindex | 2.7.0 | O(N), N bytes of the document | Finds a value in arrays | key path value [start [stop]]
json.arrinsert | 2.7.0 | O(N), N bytes of the document | Inserts values into arrays, before an index | key path index value…
json.arrlen | 2.7.0 | O(N), N bytes of the document | Tells how long arrays are | key [path]
json.arrpop | 2.7.0 | O(N), N bytes of the document | Takes an element out of arrays, by default the last | key [path [index]]
json.arrtrim | 2.7.0 | O(N), N bytes of the document | Keeps the elements of arrays between two indexes alone | key path start stop
json.clear | 2.7.0 | O(N), N bytes of the document | Empties arrays and objects, sets numbers to 0 | key [path]
json.debug | 2.9.0 | O(N), N bytes of the document | Tells how many bytes values take as text | MEMORY key [path]
json.del | 2.7.0 | O(N), N bytes of the document | Deletes values, or the key with its root | key [path]
json.forget | 2.7.0 | O(N), N bytes of the document | JSON.DEL by another name | key [path]
json.get | 2.7.0 | O(N), N bytes of the document | Reads the values at paths, as JSON | key [INDENT indent] [NEWLINE newline] [SPACE space] [path…]
json.info | 2.7.0 | O(1) | Tells how a document is stored | key
json.merge | 2.7.0 | O(N), N bytes of the document | Merges a patch into values (RFC 7396) | key path value
json.mget | 2.8.0 | O(N), N bytes of the documents | Reads a path of several documents | key… path
json.mset | 2.9.0 | O(N), N bytes of the documents | Sets values in several documents at once | (key path value)…
json.numincrby | 2.7.0 | O(N), N bytes of the document | Adds to numbers | key path value
json.nummultby | 2.7.0 | O(N), N bytes of the document | Multiplies numbers | key path value
json.objkeys | 2.7.0 | O(N), N bytes of the document | Lists the names in objects | key [path]
json.objlen | 2.7.0 | O(N), N bytes of the document | Counts the names in objects | key [path]
json.resp | 2.10.0 | O(N), N bytes of the document | Reads a value as replies, not as text | key [path]
json.set | 2.7.0 | O(N), N bytes of the document | Sets values; a new document at its root | key path value [NX|XX]
json.strappend | 2.7.0 | O(N), N bytes of the document | Puts text behind strings | key [path] value
json.strlen | 2.7.0 | O(N), N bytes of the document | Tells how long strings are | key [path]
json.toggle | 2.7.0 | O(N), N bytes of the document | Turns true into false and back | key [path]
json.type | 2.7.0 | O(N), N bytes of the document | Names the types of values | key [path]
`,
  ),
  ...docsOf(
    'bf',
    `
bf.add | 2.6.0 | O(K), K filters of the chain | Adds an item to a Bloom filter, which is made if there is none | key item
bf.card | 2.6.0 | O(1) | Counts the items that were new when they were added | key
bf.exists | 2.6.0 | O(K), K filters of the chain | Tells whether an item may have been added | key item
bf.info | 2.6.0 | O(1) | Tells of a Bloom filter | key [CAPACITY|SIZE|FILTERS|ITEMS|EXPANSION]
bf.insert | 2.7.0 | O(N*K), N items, K filters | Adds several items to a Bloom filter, which is made as told if there is none | key [CAPACITY capacity] [ERROR error-rate] [EXPANSION expansion] [NOCREATE] [NONSCALING] ITEMS item…
bf.madd | 2.6.0 | O(N*K), N items, K filters | Adds several items | key item…
bf.mexists | 2.6.0 | O(N*K), N items, K filters | Tells for each item whether it may have been added | key item…
bf.reserve | 2.6.0 | O(1) | Makes an empty Bloom filter | key error-rate capacity [EXPANSION expansion] [NONSCALING]
`,
  ),
  ...docsOf(
    'sorted-int',
    `
siadd | 1.0.2 | O(N), N numbers | Adds numbers to a sorted set of whole numbers | key number…
sicard | 1.0.2 | O(1) | Counts the numbers | key
siexists | 1.1.20 | O(N), N asked for | Tells for each number whether it is there | key number…
sirange | 1.0.2 | O(N), N passed | Reads numbers in order | key offset count [CURSOR number]
sirangebyvalue | 1.1.31 | O(N), N passed | Reads the numbers between two | key min max [LIMIT offset count]
sirem | 1.0.2 | O(N), N numbers | Removes numbers | key number…
sirevrange | 1.0.2 | O(N), N passed | Reads numbers, the largest first | key offset count [CURSOR number]
sirevrangebyvalue | 1.1.31 | O(N), N passed | Reads the numbers between two, the largest first | key max min [LIMIT offset count]
`,
  ),
];
