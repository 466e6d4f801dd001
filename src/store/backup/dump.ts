/** Writes a backup of a store that goes on working. */
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Cell } from '../cell.ts';
import type { Engine, Snapshot } from '../engine.ts';
import { tableOf } from '../results/days.ts';
import { TABLES } from '../tables.ts';
import { type BackupHead, FORMAT_VERSION, toStored, writeLine } from './format.ts';

/**
 * The bytes of the file, made as they are taken. Whoever stops taking them must end the iteration.
 * @param over called when it is done, has failed or was given up.
 */
export function dump(
  engine: Engine,
  facts: Pick<BackupHead, 'schema' | 'createdAt'>,
  over: () => void,
): AsyncIterable<Uint8Array> {
  const lines = Readable.from(dumpLines(engine, { format: 'brainstem-backup', version: FORMAT_VERSION, ...facts }));
  // What fails on the way also ends the reading of the last part, so it is heard there.
  return pipeline(lines, createGzip(), over);
}

async function* dumpLines(engine: Engine, head: BackupHead): AsyncGenerator<string> {
  const snapshot = await engine.snapshot();
  try {
    yield writeLine(head);
    const counts: Record<string, number> = {};
    const history: History = { days: new Set(), series: new Set() };
    for (const table of Object.keys(TABLES)) yield* dumpTable(snapshot, table, counts, history);
    for (const day of [...history.days].sort((one, other) => one - other))
      yield* dumpDay(snapshot, day, counts, history);
    yield writeLine({ end: true, counts });
  } finally {
    await snapshot.close();
  }
}

interface History {
  readonly days: Set<number>;
  readonly series: Set<number>;
}

async function* dumpTable(
  snapshot: Snapshot,
  table: string,
  counts: Record<string, number>,
  history: History,
): AsyncGenerator<string> {
  counts[table] = 0;
  for await (const page of snapshot.rows(table)) {
    counts[table] += page.length;
    if (table === 'result_days') for (const { day } of page) history.days.add(Number(day));
    if (table === 'result_series') for (const { id } of page) history.series.add(Number(id));
    yield writeLine({ table, rows: page.map(plainRow) });
  }
}

/** Results that came after the snapshot may belong to series that are not in it: they are left to the next backup. */
async function* dumpDay(
  snapshot: Snapshot,
  day: number,
  counts: Record<string, number>,
  { series }: History,
): AsyncGenerator<string> {
  const table = tableOf(day);
  counts[table] = 0;
  for await (const page of snapshot.results(table)) {
    const known = page.filter(({ seriesId }) => series.has(seriesId));
    counts[table] += known.length;
    yield writeLine({ day, results: known.map(toStored) });
  }
}

/** No table but those of the days holds bytes, and no number is larger than a double holds. */
function plainRow(row: Readonly<Record<string, Cell>>): Record<string, string | number | null> {
  return row as Record<string, string | number | null>;
}
