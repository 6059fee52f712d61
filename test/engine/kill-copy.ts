import { applyCheckpointExport, Engine } from '../../src/engine/index.js';

// Restores checkpoint `kept` of a store to a directory, or applies an exported checkpoint to one; prints when it begins.
const [what, from = '', to = ''] = process.argv.slice(2);
if (what === 'restore') {
  await using engine = await Engine.open(from);
  process.stdout.write('begun\n');
  await engine.checkpoints.restore('kept', to);
} else {
  process.stdout.write('begun\n');
  await applyCheckpointExport(to, from);
}
