import { describe, expect, it } from 'vitest';
import type { Change, Transaction, Undecodable } from '../../src/data-model/index.js';
import { Coverage, type CoverageState, type Scope } from '../../src/migration/coverage.js';
import { unsupportedImage, wholeImage } from '../../src/migration/key-image.js';
import { keyAt, placeName, placeOf } from '../../src/migration/key-place.js';
import type { KeyPart } from '../../src/migration/key-reader.js';

const place = (key: string, ns = 'default'): Buffer => placeOf(ns, Buffer.from(key));
const name = (key: string): string => placeName(place(key));

const of = (seq: number, key: string, ns = 'default') => ({ seq, index: 0, ns, key: Buffer.from(key) });
const value = Buffer.from('value');
/** Says nothing of the rest of the key: replayed onto an image that has it already, it would double. */
const push = (seq: number, key: string, ns?: string): Change => ({
  ...of(seq, key, ns),
  ...({ op: 'push', type: 'list', side: 'tail', value } as const),
});
/** Says all of the key. */
const put = (seq: number, key: string): Change => ({
  ...of(seq, key),
  ...({ op: 'put', type: 'string', value, ttlAt: undefined } as const),
});
const clear = (seq: number): Change => ({
  ...({ seq, index: 0, ns: 'default', op: 'clear', type: 'namespace', slot: undefined } as const),
});
const lost = (seq: number, key: string): Undecodable => ({
  ...of(seq, key),
  ...({ code: 'DECODE_AMBIGUOUS', reason: 'it began before' } as const),
});

const transaction = (changes: readonly Change[], undecodable: readonly Undecodable[] = []): Transaction => {
  const seqs = [...changes, ...undecodable].map(({ seq }) => seq);
  const [first, last] = [Math.min(...seqs), Math.max(...seqs)];
  return { first, last, count: last - first + 1, bytes: Buffer.alloc(0), changes, undecodable };
};

/** Read from 10 on, its images from 12 on, until 20. */
const part = (keys: readonly string[], rest: Partial<KeyPart> = {}): KeyPart => ({
  images: keys.map((key) => wholeImage(place(key), [{ ...of(0, key), op: 'delete', type: 'key' }])),
  whole: { runs: [], keys: keys.length, byteLength: 0 },
  walk: { end: place('m') },
  rangeLow: 10,
  low: 12,
  high: 20,
  unsettled: [],
  session: 1,
  ...rest,
});

const everything: Scope = { namespaces: undefined, excluded: new Set() };
const atBeginning: CoverageState = { place: undefined, isComplete: false, pending: [], leftOut: [] };
const upTo = (key: string): CoverageState => ({ ...atBeginning, place: place(key) });
const coverage = (state: CoverageState, scope = everything): Coverage => new Coverage(state, scope);

/** Keys of the changes that count. */
const counting = (of: Coverage, changes: readonly Change[], undecodable?: readonly Undecodable[]): string[] =>
  of
    .filter(transaction(changes, undecodable))
    .changes.map((change) => ('key' in change ? `${Buffer.from(change.key)}` : change.op));
/** Keys of the images that count. */
const finished = (of: Coverage): string[] => of.finish().map((image) => `${keyAt(image.place).key}`);
const pending = (of: Coverage): string[] =>
  of.state.pending.map((each) => `${keyAt(Buffer.from(each, 'latin1')).key}`);

describe('what a snapshot has covered', () => {
  it('takes changes of keys up to where the walk stands, and no others', () => {
    expect(counting(coverage(upTo('m')), [push(1, 'a'), push(2, 'm'), push(3, 'm0'), push(4, 'z')])).toEqual([
      'a',
      'm',
    ]);
    expect(counting(coverage(atBeginning), [push(1, 'a')])).toEqual([]);
    expect(counting(coverage({ ...atBeginning, isComplete: true }), [push(1, 'z')])).toEqual(['z']);
  });

  it('takes the image of a key unless the log has changed it behind the moment before it was read', () => {
    const snapshot = coverage(atBeginning);
    snapshot.begin(part(['a', 'b', 'c']));
    expect(counting(snapshot, [push(12, 'a'), push(13, 'b'), push(20, 'c')])).toEqual([]);
    expect(snapshot.finishWhole()).toBeUndefined();
    expect(finished(snapshot)).toEqual(['a']);
    expect(pending(snapshot)).toEqual(['b', 'c']);
    expect(counting(snapshot, [push(21, 'a'), push(22, 'b')])).toEqual(['a']);
  });

  it('reads a key again that had no image and was written since the range was begun, the last of the range too', () => {
    const snapshot = coverage(atBeginning);
    snapshot.begin(part(['a']));
    expect(counting(snapshot, [push(10, 'b'), push(11, 'c'), push(12, 'm'), push(11, 'n')])).toEqual([]);
    snapshot.finish();
    expect(pending(snapshot)).toEqual(['c', 'm']);
    expect(snapshot.place).toEqual(place('m'));
  });

  it('takes a key from the log alone from a change on that says all of it', () => {
    const snapshot = coverage(atBeginning);
    snapshot.begin(part(['a', 'b']));
    expect(counting(snapshot, [push(13, 'a'), put(14, 'a'), push(15, 'a'), put(16, 'z')])).toEqual([
      'a',
      'a',
    ]);
    expect(finished(snapshot)).toEqual(['b']);
    expect(pending(snapshot)).toEqual([]);
  });

  it('knows nothing of such a key any more when the part is given up', () => {
    const snapshot = coverage(atBeginning);
    snapshot.begin(part(['a']));
    expect(counting(snapshot, [put(14, 'a')])).toEqual(['a']);
    snapshot.abandon();
    expect(counting(snapshot, [push(15, 'a')])).toEqual([]);
  });

  it('takes no image from before its namespace was cleared', () => {
    const snapshot = coverage(atBeginning);
    snapshot.begin(part(['a']));
    expect(counting(snapshot, [clear(10)])).toEqual(['clear']);
    expect(finished(snapshot)).toEqual(['a']);
    snapshot.begin(part(['n'], { walk: { end: undefined } }));
    expect(counting(snapshot, [clear(11)])).toEqual(['clear']);
    expect(snapshot.finishWhole()).toBeUndefined();
    expect(finished(snapshot)).toEqual([]);
    expect(pending(snapshot)).toEqual(['n']);
  });

  it('reads again what changed while it was read', () => {
    const snapshot = coverage(atBeginning);
    snapshot.begin(part(['a'], { unsettled: [place('b')] }));
    expect(snapshot.finishWhole()).toBeUndefined();
    expect(finished(snapshot)).toEqual(['a']);
    expect(pending(snapshot)).toEqual(['b']);
    // Until it has an image, or is replaced.
    expect(counting(snapshot, [push(21, 'b')])).toEqual([]);
    snapshot.begin(part(['b'], { walk: undefined, rangeLow: 21, low: 21, high: 30 }));
    expect(finished(snapshot)).toEqual(['b']);
    expect(snapshot.state).toMatchObject({ place: place('m'), isComplete: false, pending: [] });
    expect(counting(snapshot, [push(31, 'b')])).toEqual(['b']);
  });

  it('reads a covered key again when the log does not tell what became of it', () => {
    const snapshot = coverage(upTo('m'));
    expect(counting(snapshot, [push(1, 'a'), push(2, 'b')], [lost(3, 'a'), lost(4, 'z')])).toEqual(['b']);
    expect(pending(snapshot)).toEqual(['a']);
    expect(counting(snapshot, [push(5, 'a')])).toEqual([]);
    expect(counting(snapshot, [put(6, 'a'), push(7, 'a')])).toEqual(['a', 'a']);
    expect(pending(snapshot)).toEqual([]);
    snapshot.begin(part(['n', 'o'], { walk: { end: undefined } }));
    counting(snapshot, [], [lost(13, 'n')]);
    expect(finished(snapshot)).toEqual(['o']);
    expect(pending(snapshot)).toEqual(['n']);
  });

  it('reads a covered key again when its expiry has passed before it is delivered', () => {
    const snapshot = coverage(upTo('m'));
    const expires = (seq: number, key: string, inMs: number): Change => ({
      ...of(seq, key),
      ...({ op: 'expire', type: 'list', ttlAt: Date.now() + inMs, value: undefined } as const),
    });
    // The target would drop it at once, and then have of it only what was pushed behind.
    const changes = [push(1, 'a'), expires(2, 'a', -1000), push(3, 'a'), expires(4, 'a', 60_000)];
    expect(counting(snapshot, changes)).toEqual(['a']);
    expect(pending(snapshot)).toEqual(['a']);
    expect(counting(snapshot, [expires(5, 'b', 60_000), push(6, 'b')])).toEqual(['b', 'b']);
    // Also when the log alone has brought it into the part's range.
    snapshot.begin(part(['n'], { walk: { end: undefined } }));
    expect(counting(snapshot, [put(11, 'o'), expires(12, 'o', -1000), push(13, 'o')])).toEqual(['o']);
    expect(finished(snapshot)).toEqual(['n']);
    expect(pending(snapshot)).toEqual(['a', 'o']);
  });

  it('leaves out what cannot be read until it is replaced, or everything is cleared', () => {
    const snapshot = coverage(atBeginning);
    const images = ['a', 'b'].map((key) => unsupportedImage(place(key), 'of a module'));
    snapshot.begin(part([], { images, whole: undefined, walk: { end: undefined } }));
    snapshot.finish();
    expect(snapshot.state).toMatchObject({ isComplete: true, leftOut: [name('a'), name('b')] });
    expect(counting(snapshot, [push(21, 'a'), put(22, 'a'), push(23, 'a'), push(24, 'b')])).toEqual([
      'a',
      'a',
    ]);
    expect(counting(snapshot, [clear(25), push(26, 'b')])).toEqual(['clear', 'b']);
    expect(snapshot.state.leftOut).toEqual([]);
  });

  it('keeps to the namespaces that were named and away from the keys that were excluded', () => {
    const snapshot = coverage(
      { ...atBeginning, isComplete: true },
      { namespaces: new Set(['default']), excluded: new Set([name('own')]) },
    );
    expect(
      counting(snapshot, [push(1, 'a', 'other'), put(2, 'own'), push(3, 'a')], [lost(4, 'own')]),
    ).toEqual(['a']);
    expect(pending(snapshot)).toEqual([]);
    snapshot.begin(part(['own', 'b'], { walk: undefined }));
    expect(snapshot.finishWhole()).toBeUndefined();
    expect(finished(snapshot)).toEqual(['b']);
  });

  it('takes a part as it came when nothing of it was touched', () => {
    const snapshot = coverage(atBeginning);
    const whole = part(['a'], { walk: { end: undefined } });
    snapshot.begin(whole);
    expect(counting(snapshot, [push(12, 'a')])).toEqual([]);
    expect(snapshot.finishWhole()).toBe(whole.whole);
    expect(snapshot.isComplete).toBe(true);
    expect(counting(snapshot, [push(21, 'a')])).toEqual(['a']);
  });
});
