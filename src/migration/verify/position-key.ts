/**
 * True of the names under which sinks keep positions in a target, in a cluster with a tag behind them: these are no
 * data, and without them a pipeline would deliver everything once more.
 */
export const isPositionKey = (key: Buffer): boolean =>
  key.subarray(0, 9).equals(start) && /^tailrace:.+:position(:\{.*\})?$/s.test(key.toString('latin1'));

const start = Buffer.from('tailrace:');
