#!/usr/bin/env bash
# Packs the package, installs the tarball into an empty folder and runs it there as a user would:
# the version, a validated pipeline, and a pipeline from a directory of log files to a file.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"
# What an older build has left is not packed.
mkdir -p "$repository/dist/src"
touch "$repository/dist/src/stale.js"
tarball=$(cd "$repository" && npm pack --silent --pack-destination "$work")
mkdir -p "$work/app/log"
cd "$work/app"
npm init -y >/dev/null
npm install --no-audit --no-fund --omit=dev "$work/$tarball" >/dev/null
npx --no-install tailrace --version
[ ! -e node_modules/tailrace/dist/src/stale.js ] || { echo 'a stale file was packed'; exit 1; }
grep -q 'tailrace pipeline file' node_modules/tailrace/config/pipeline.schema.json
# The captured log without its last record, which is no batch.
head -c 1095768 "$repository/test/fixtures/kvrocks/wal/kvrocks-000010.log" >log/000010.log
cat >pipeline.yaml <<'YAML'
name: packed
source:
  connector: wal
  path: ./log
  follow: false
errors:
  undecodable: skip
sinks:
  - sink: file
    path: ./changes.ndjson
YAML
npx --no-install tailrace validate pipeline.yaml
npx --no-install tailrace run pipeline.yaml
lines=$(wc -l <changes.ndjson)
[ "$lines" -gt 100 ] || { echo "the packed pipeline delivered only $lines changes"; exit 1; }
# A sink of one's own, as docs/connectors.md has it.
cp node_modules/tailrace/examples/json-state-sink.mjs .
cat >own.yaml <<'YAML'
name: own
source:
  connector: wal
  path: ./log
  follow: false
errors:
  undecodable: skip
  poison: skip
sinks:
  - sink: ./json-state-sink.mjs
    path: ./state.json
YAML
npx --no-install tailrace run --quiet own.yaml
node --input-type=module -e '
  import { readFileSync } from "node:fs";
  const { position, values } = JSON.parse(readFileSync("state.json", "utf8"));
  if (!(position.sequence > 0 && Object.keys(values).length > 0)) throw new Error("the sink of one’s own holds nothing");
'
cat >use.mjs <<'JS'
import { Engine } from 'tailrace';
const engine = await Engine.open('./store');
await engine.close();
JS
node use.mjs
# Its types, read whole, in a strict program: they need those of Node.js and no others.
mkdir -p node_modules/@types
ln -s "$repository/node_modules/@types/node" node_modules/@types/node
ln -s "$repository/node_modules/undici-types" node_modules/undici-types
cat >use.mts <<'TS'
import { Database, Engine } from 'tailrace';
import type { SinkDefinition, SourceDefinition } from 'tailrace/kit';
export const open = async (): Promise<Database> => new Database(await Engine.open('./store'));
export type Definition = SinkDefinition<{ path: string }> | SourceDefinition<{ path: string }>;
TS
node "$repository/node_modules/typescript/bin/tsc" --noEmit --strict --skipLibCheck false --exactOptionalPropertyTypes \
  --module nodenext --target es2022 --lib es2023,esnext.disposable --types node use.mts
echo "packed package works: $lines changes delivered"
