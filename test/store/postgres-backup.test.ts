import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock, Log, Store } from '../../src/ports.ts';
import type { BackupLine } from '../../src/store/backup/format.ts';
import { openStore, restoreBackup } from '../../src/store/open.ts';
import { usePostgres } from './postgres.ts';
import { attempt, DAY, incident, notification, ODD, result, state } from './records.ts';

const postgres = usePostgres(['fsync=off']);
const clock: Clock = { now: () => DAY, monotonic: () => performance.now() };
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

interface Place {
  readonly home: string;
  readonly url?: string;
}

let folder: string;
let homes = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brainstem-backup-'));
});

afterAll(() => rm(folder, { recursive: true }));

const inFile = (): Place => ({ home: join(folder, String(++homes)) });
const inDatabase = async (): Promise<Place> => ({ home: '/nonexistent', url: await postgres.createDatabase() });
const PLACES = { SQLite: async () => inFile(), PostgreSQL: inDatabase };

const open = (place: Place) => openStore({ ...place, clock, log });

async function using<T>(place: Place, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await open(place);
  return work(store).finally(() => store.close());
}

/** Rows in every table, and everything in a row that is hard to carry: references to later rows, every kind of value, no value. */
async function fill(store: Store): Promise<void> {
  await store.saveProbeState(state({ probe: ODD }));
  const first = await store.insertIncident(incident());
  const root = await store.insertIncident(incident({ resolvedAt: DAY, resolution: 'recovered' }));
  await store.updateIncident({ ...first, parentId: root.id, holdUntil: DAY + 1 });
  await store.insertTransition({ probe: 'web', from: 'up', to: 'down', at: DAY, reason: 'dns', summary: ODD });
  await store.addTimeline({ incidentId: first.id, at: DAY, kind: 'opened', text: ODD, actor: '' });
  await store.insertAttempt(
    attempt({ incidentId: first.id, exitCode: 0, output: ODD, child: { pid: 1, startTicks: 2 } }),
  );
  await store.acquireLock('container:web', 'healer', DAY, DAY + 1);
  await store.disarm({ remediation: 'restart', at: DAY, why: 'spent' });
  await store.freeze({ at: DAY, by: 'somebody', why: ODD });
  const matchers = [`probe=${JSON.stringify(ODD)}`];
  await store.insertSilence({
    matchers,
    startsAt: DAY,
    endsAt: DAY + 1,
    author: 'somebody',
    comment: ODD,
    createdAt: DAY,
  });
  await store.proveWrite(DAY);
  const told = await store.insertNotification(notification({ incidentId: first.id }));
  const digest = await store.insertNotification(notification());
  await store.updateNotification({ ...told, carriedBy: digest.id, state: 'sent', sentAt: DAY });
  await store.saveConversation('slack', first.id, { thread: ODD });
  await store.saveHeartbeat({ ...(await store.heartbeat('hash', DAY)), durationMs: 1.5, body: ODD });
  await store.addAudit({ at: DAY, actor: 'somebody', action: 'freeze', subject: '', detail: ODD });
  await store.addResults(
    Array.from({ length: 5_000 }, (_, index) =>
      result({
        probe: `probe-${index % 7}`,
        at: DAY - 86_400_000 + index * 30_011,
        latencyMs: index / 7,
        ...(index % 3 === 0 && { reason: 'internal', verdict: 'unknown', error: true }),
        values: [{}, { status: 200 }, { a: index / 3, b: -0.5, c: ODD, d: true }][index % 3] ?? {},
      }),
    ),
  );
}

async function backUp(store: Store): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of store.backup()) parts.push(part);
  return Buffer.concat(parts);
}

const linesOf = (file: Buffer): BackupLine[] =>
  gunzipSync(file)
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Every row of every table, in an order that no database decides. */
function rowsOf(file: Buffer): Record<string, string[]> {
  const tables: Record<string, string[]> = {};
  for (const line of linesOf(file)) {
    const [name, rows] =
      'table' in line ? [line.table, line.rows] : 'day' in line ? [String(line.day), line.results] : ['', []];
    tables[name] = [...(tables[name] ?? []), ...rows.map((row) => JSON.stringify(row))].sort();
  }
  return tables;
}

const restoreTo = (place: Place, file: Buffer, force = false) =>
  restoreBackup(
    { ...place, clock, log },
    {
      read: async function* () {
        yield file;
      },
      force,
    },
  );

it('moves from SQLite to PostgreSQL and back without losing a row of any table', async () => {
  const [first, second, third] = [inFile(), await inDatabase(), inFile()];
  const before = await using(first, async (store) => {
    await fill(store);
    return backUp(store);
  });
  const counts = await restoreTo(second, before);
  expect(Object.entries(counts).filter(([, count]) => count === 0)).toStrictEqual([]);
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBeGreaterThan(5_020);
  const between = await using(second, backUp);
  expect(await restoreTo(third, between)).toStrictEqual(counts);
  const after = await using(third, backUp);
  expect(rowsOf(between)).toStrictEqual(rowsOf(before));
  expect(rowsOf(after)).toStrictEqual(rowsOf(before));
});

it('clears away what a backup that was killed left beside the file', async () => {
  const place = inFile();
  await using(place, fill);
  const left = join(place.home, 'data', 'brainstem.db-snapshot');
  await writeFile(left, 'left over');
  await using(place, async (store) => {
    await expect(readFile(left)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(rowsOf(await backUp(store))['incidents']).toHaveLength(2);
  });
});

describe.each(Object.entries(PLACES))('on %s', (_name, newPlace) => {
  it('counts its ids on behind the restored ones, and reads the results', async () => {
    const [from, to] = [await newPlace(), await newPlace()];
    const file = await using(from, async (store) => {
      await fill(store);
      return backUp(store);
    });
    await restoreTo(to, file);
    await using(to, async (store) => {
      const [newest] = await store.incidents({ limit: 1 });
      expect((await store.insertIncident(incident())).id).toBeGreaterThan(newest?.id ?? 0);
      expect(await store.results({ probe: 'probe-1', from: 0, to: 1e15, limit: 1e6 })).toHaveLength(
        Math.ceil(4_999 / 7),
      );
      await store.addResults([result({ probe: 'probe-1', revision: 'new' }), result({ probe: 'probe-1' })]);
    });
  });

  it('lets everybody go on while a slow reader takes it, and holds what was there when it began', async () => {
    const place = await newPlace();
    await using(place, async (store) => {
      await fill(store);
      const parts: Uint8Array[] = [];
      for await (const part of store.backup()) {
        if (parts.length === 0) {
          await store.saveProbeState(state({ probe: 'later' }));
          await store.addResults([result({ probe: 'later', at: DAY })]);
          await store.prune({ resultsMs: 86_400_000, maxBytes: 1e15 }, DAY + 86_400_000);
          expect(() => store.backup()).toThrow(expect.objectContaining({ code: 'backup_running' }));
        }
        parts.push(part);
      }
      const file = Buffer.concat(parts);
      expect(rowsOf(file)['probe_states']).toHaveLength(1);
      await restoreTo(await newPlace(), file);
      const series = linesOf(file).flatMap((line) =>
        'table' in line && line.table === 'result_series' ? line.rows : [],
      );
      const known = new Set(series.map(({ id }) => id));
      for (const line of linesOf(file))
        for (const [seriesId] of 'day' in line ? line.results : []) expect(known).toContain(seriesId);
      expect(rowsOf(await backUp(store))['probe_states']).toHaveLength(2);
    });
    if (place.url === undefined) expect(await readdir(join(place.home, 'data'))).toStrictEqual(['brainstem.db']);
  });

  it('can be given up in the middle, and begun again', async () => {
    await using(await newPlace(), async (store) => {
      await fill(store);
      for await (const _part of store.backup()) break;
      await expect.poll(() => backUp(store).catch(() => undefined), { timeout: 20_000 }).toBeDefined();
    });
  });

  it('is not restored over what is there, unless by force, and then whole', async () => {
    const place = await newPlace();
    const file = await using(place, async (store) => {
      await fill(store);
      return backUp(store);
    });
    await using(place, (store) => store.saveProbeState(state({ probe: 'new' })));
    await expect(restoreTo(place, file)).rejects.toMatchObject({ name: 'ConflictError', code: 'store_not_empty' });
    expect((await using(place, (store) => store.probeStates())).map(({ probe }) => probe)).toContain('new');
    await restoreTo(place, file, true);
    expect(rowsOf(await using(place, backUp))).toStrictEqual(rowsOf(file));
  });

  it('is looked at before the store is: whoever has the wrong file need not make room for it', async () => {
    const place = await newPlace();
    await using(place, async (store) => {
      await fill(store);
      const whole = await backUp(store);
      for (const bytes of [Buffer.from('hello\n'), whole.subarray(0, whole.length / 2)])
        await expect(restoreTo(place, bytes)).rejects.toMatchObject({ code: 'backup_unreadable' });
    });
    await expect(restoreTo(place, Buffer.from('hello\n'))).rejects.toMatchObject({ code: 'backup_unreadable' });
  });

  it('changes nothing when it is cut short, damaged, newer, or something else', async () => {
    const place = await newPlace();
    const file = await using(place, async (store) => {
      await fill(store);
      return backUp(store);
    });
    const before = rowsOf(file);
    const lines = linesOf(file);
    const zip = (changed: readonly unknown[]) => gzipSync(changed.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const bad = {
      cut: file.subarray(0, file.length / 2),
      flipped: Buffer.from(file).fill(0xff, file.length / 2, file.length / 2 + 8),
      'without its end': zip(lines.slice(0, -1)),
      'without a page': zip(lines.filter((line) => !('table' in line && line.table === 'timeline'))),
      'something else': gzipSync('hello\n'),
      plain: Buffer.from('hello\n'),
    };
    for (const [what, bytes] of Object.entries(bad))
      await expect(restoreTo(place, bytes, true), what).rejects.toMatchObject({ code: 'backup_unreadable' });
    const newer = zip(lines.map((line) => ('format' in line ? { ...line, schema: 99 } : line)));
    await expect(restoreTo(place, newer, true)).rejects.toMatchObject({ code: 'schema_newer' });
    expect(rowsOf(await using(place, backUp))).toStrictEqual(before);
  });

  it('is brought to the present schema when it is older', async () => {
    const place = await newPlace();
    const file = await using(inFile(), async (store) => {
      await store.insertIncident(incident());
      return backUp(store);
    });
    // As the first schema was: without a history of results, and nothing was ever withheld.
    const lines = linesOf(file).flatMap((line): object[] => {
      if ('format' in line) return [{ ...line, schema: 1 }];
      if ('table' in line && line.table === 'schema_migrations') return [{ ...line, rows: line.rows.slice(0, 1) }];
      if ('table' in line && line.table === 'incidents')
        return [{ ...line, rows: line.rows.map(({ withheld: _, withheld_by: __, ...row }) => row) }];
      return [line];
    });
    lines.splice(-1, 1, { end: true, counts: { schema_migrations: 1, incidents: 1 } });
    await restoreTo(place, gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
    await using(place, async (store) => {
      expect(await store.openIncidents()).toHaveLength(1);
      await store.addResults([result()]);
    });
  });

  it('is not restored while a daemon holds the store', async () => {
    const place = await newPlace();
    await using(place, async (store) => {
      await expect(restoreTo(place, await backUp(store), true)).rejects.toMatchObject({ code: 'store_locked' });
    });
  });
});
