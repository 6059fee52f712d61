import process from 'node:process';
import {
  columnFamilyNames,
  findLogDirectory,
  LogDirectoryReader,
  readSlots,
  summariseLog,
} from '../../engine/index.js';
import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';
import { counted, formatBytes, formatCount, formatTable, type OutputOptions } from '../console.js';
import { jsonBytes, printableBytes } from '../describe-change.js';
import type { DumpFlags } from '../wal-program.js';
import { writeOut } from '../write-out.js';

/** Lists log files. */
export const listLog = (place: string, output: OutputOptions): void => {
  const directory = findLogDirectory(place);
  const slots = readSlots(directory);
  const segments = [...summariseLog(directory)].map((segment) => ({
    ...segment,
    // A slot keeps the log from the batch on that it has acknowledged last.
    heldBy: slots.filter((slot) => slot.acknowledged <= segment.lastSequence).map((slot) => slot.name),
  }));
  if (output.isJson) {
    process.stdout.write(`${JSON.stringify(segments)}\n`);
    return;
  }
  if (segments.length === 0) {
    process.stdout.write(`there are no log files in ${directory}\n`);
    return;
  }
  const rows = segments.map((segment) => [
    segment.path,
    formatBytes(segment.sizeBytes),
    formatCount(segment.batches),
    formatCount(segment.records),
    segment.firstSequence,
    segment.lastSequence,
    segment.heldBy.join(' '),
  ]);
  process.stdout.write(
    `${formatTable(['FILE', 'SIZE', 'BATCHES', 'RECORDS', 'FIRST', 'LAST', 'KEPT FOR'], rows)}\n`,
  );
};

/** Checks every record; a torn end is told, damage is an error. */
export const verifyLog = (place: string, output: OutputOptions): void => {
  const segments = [...summariseLog(findLogDirectory(place))];
  const torn = segments.filter((segment) => segment.tornBytes > 0);
  const batches = segments.reduce((total, segment) => total + segment.batches, 0);
  if (output.isJson) {
    process.stdout.write(`${JSON.stringify({ files: segments.length, batches, torn })}\n`);
    return;
  }
  for (const segment of torn)
    process.stdout.write(
      `${segment.path}: torn end of ${segment.tornBytes} bytes (${segment.tornReason ?? ''})\n`,
    );
  process.stdout.write(
    `${counted(segments.length, 'file')}, ${counted(batches, 'batch', 'batches')}, every checksum is good\n`,
  );
};

/** Prints records, one a line. */
export const dumpLog = async (place: string, flags: DumpFlags, output: OutputOptions): Promise<void> => {
  const reader = new LogDirectoryReader(findLogDirectory(place), flags.from);
  try {
    let left = flags.limit ?? Number.POSITIVE_INFINITY;
    let batch = reader.next();
    for (; batch !== undefined && left > 0; batch = reader.next(), left--) {
      const { sequence, count, path, offset, bytes } = batch;
      const text = output.isJson
        ? `${JSON.stringify({ sequence, count, path, offset, records: recordsOf(bytes, jsonBytes) })}\n`
        : `${sequence} count ${count}  ${path}:${offset}\n${recordsOf(bytes, printableBytes)
            .map((record) => `    ${Object.values(record).join('  ')}\n`)
            .join('')}`;
      await writeOut(text);
    }
  } finally {
    reader.close();
  }
};

interface PrintedRecord<Bytes> {
  readonly kind: string;
  readonly columnFamily?: string;
  readonly key?: Bytes;
  readonly value?: Bytes;
}

const recordsOf = <Bytes>(batch: Buffer, shown: (bytes: Buffer) => Bytes): PrintedRecord<Bytes>[] => {
  const reader = new WriteBatchReader(batch);
  const records: PrintedRecord<Bytes>[] = [];
  while (reader.next()) {
    const kind = kindNames[reader.kind] ?? 'Unknown';
    const value = shown(reader.value());
    if (reader.kind === RecordKind.LogData || reader.kind === RecordKind.TransactionMarker) {
      records.push({ kind, value });
      continue;
    }
    const columnFamily = columnFamilyNames[reader.columnFamily] ?? String(reader.columnFamily);
    records.push({ kind, columnFamily, key: shown(reader.key()), value });
  }
  return records;
};

const kindNames: readonly string[] = Object.entries(RecordKind)
  .sort(([, a], [, b]) => a - b)
  .map(([name]) => name);
