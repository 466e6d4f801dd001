import { execFileSync } from 'node:child_process';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import Database from 'libsql';
import { afterEach, expect, it, vi } from 'vitest';
import { WorkerClient } from '../../src/store/sqlite/client.ts';
import { sqliteEngine } from '../../src/store/sqlite/engine.ts';
import { openFile } from '../../src/store/sqlite/file.ts';
import { createStore } from '../../src/store/store.ts';
import { incident, result, state } from './records.ts';
import { fileOf, openHome, withHome } from './sqlite.ts';

afterEach(() => {
  vi.useRealTimers();
});

const INCIDENTS = 300;

/** A closed store with incidents in it. */
async function filledHome(home: string): Promise<string> {
  const store = await openHome(home);
  await store.transaction(async (queries) => {
    for (let index = 0; index < INCIDENTS; index++) await queries.insertIncident(incident());
  });
  await store.addResults([result()]);
  await store.close();
  return fileOf(home);
}

const DAMAGED = { name: 'PermanentError', code: 'store_damaged' };

const CORRUPT = expect.objectContaining({ code: expect.stringMatching(/^SQLITE_(CORRUPT|NOTADB)$/) });

/** How many incidents are in the file, or why it was refused. Each time another file: libsql lets one go late. */
function openAndCount(file: string): unknown {
  try {
    const database = openFile(file);
    try {
      return (database.prepare('SELECT count(*) FROM incidents').raw().all() as number[][])[0]?.[0];
    } finally {
      database.close();
    }
  } catch (error) {
    return error;
  }
}

it('refuses a file that was cut short anywhere or emptied, and leaves it as it is', async () => {
  await withHome(async (home) => {
    const file = await filledHome(home);
    const whole = await readFile(file);
    const lengths = [0, 1, 99, 100, 512, 4_096, 5_000, Math.floor(whole.length / 2), whole.length - 4_096];
    for (const length of lengths) {
      const cut = `${file}-cut-to-${length}`;
      await writeFile(cut, whole.subarray(0, length));
      expect(openAndCount(cut), cut).toStrictEqual(CORRUPT);
      expect((await readFile(cut)).equals(whole.subarray(0, length)), cut).toBe(true);
    }
    expect(openAndCount(file)).toBe(INCIDENTS);
  });
});

it('names the damaged file, and how to go on', async () => {
  await withHome(async (home) => {
    const file = await filledHome(home);
    await writeFile(file, 'not a database at all '.repeat(1_000));
    await expect(openHome(home)).rejects.toMatchObject({
      ...DAMAGED,
      message: expect.stringMatching(new RegExp(`${file} is damaged.*move.*${file}-wal.*aside.*backup`)),
    });
    await truncate(file, 0);
    await expect(openHome(home)).rejects.toMatchObject(DAMAGED);
  });
});

it('never takes a file with flipped bits for an emptier one', async () => {
  await withHome(async (home) => {
    const file = await filledHome(home);
    const whole = await readFile(file);
    let refused = 0;
    // The header of each page says what the page is and where its rows are.
    for (let page = 0; page < whole.length / 4_096; page++) {
      const flipped = Buffer.from(whole);
      const at = page * 4_096 + (page === 0 ? 100 : 0) + (page % 8);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (page % 7));
      const damaged = `${file}-flipped-at-${at}`;
      await writeFile(damaged, flipped);
      const found = openAndCount(damaged);
      if (found !== INCIDENTS) expect(found, damaged).toStrictEqual(CORRUPT);
      if (found !== INCIDENTS) refused++;
    }
    expect(refused).toBeGreaterThan(5);
  });
});

it('refuses to build a new database beside the journal of one that is gone', async () => {
  await withHome(async (home) => {
    const file = await filledHome(home);
    await rm(file);
    await writeFile(`${file}-wal`, 'left over');
    await expect(openHome(home)).rejects.toMatchObject(DAMAGED);
    await rm(`${file}-wal`);
    await (await openHome(home)).close();
  });
});

it('refuses a database of another program', async () => {
  await withHome(async (home) => {
    const file = await filledHome(home);
    await rm(file);
    const other = new Database(file);
    other.exec('CREATE TABLE theirs (id integer)');
    other.close();
    await expect(openHome(home)).rejects.toMatchObject({
      ...DAMAGED,
      message: expect.stringContaining('not a Brainstem'),
    });
  });
});

it('refuses a row that no longer reads as what was written', async () => {
  await withHome(async (home) => {
    const store = await openHome(home);
    await store.saveProbeState(state());
    await store.close();
    const database = new Database(fileOf(home));
    database.exec(`UPDATE probe_states SET streaks = '{"passing":'`);
    database.close();
    const again = await openHome(home);
    await expect(again.probeStates()).rejects.toMatchObject(DAMAGED);
    await again.close();
  });
});

it('refuses a newer schema cleanly, and says both versions and what to do', async () => {
  await withHome(async (home) => {
    const file = await filledHome(home);
    const database = new Database(file);
    database.exec("INSERT INTO schema_migrations VALUES (99, 'future', 0)");
    database.close();
    for (let time = 0; time < 2; time++) {
      await expect(openHome(home)).rejects.toMatchObject({
        name: 'PermanentError',
        code: 'schema_newer',
        message: expect.stringMatching(/version 99.*up to 3.*newer program.*backup/),
      });
    }
  });
});

it('gives the room of many dropped results back to the file system', async () => {
  await withHome(async (home) => {
    const store = await openHome(home);
    const day = (number: number, count: number) =>
      Array.from({ length: count }, (_, index) =>
        result({ at: number * 86_400_000 + index * 1_000, values: { index } }),
      );
    await store.addResults([...day(0, 80_000), ...day(1, 100)]);
    await store.prune({ resultsMs: 0, maxBytes: 1e15 }, 3 * 86_400_000);
    await store.addResults(day(2, 1_000));
    expect(await store.results({ probe: 'web', from: 0, to: 1e15, limit: 1e6 })).toHaveLength(1_100);
    await store.close();
    // 80,000 results take 2 MB at the least; a spare of 512 pages may stay.
    expect((await stat(fileOf(home))).size).toBeLessThan(2_600_000);
  });
});

it('says which folder cannot be made', async () => {
  await withHome(async (home) => {
    await writeFile(`${home}/data`, 'a file');
    await expect(openHome(home)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'store_unwritable',
      message: expect.stringContaining(`${home}/data`),
    });
  });
});

it('rejects what waits and all that follows once its thread is gone, and leaves nobody waiting', async () => {
  await withHome(async (home) => {
    await filledHome(home);
    const client = await WorkerClient.open(fileOf(home));
    const { store } = await createStore(sqliteEngine(client), { now: () => 0 });
    const inTransaction = store.transaction(async (queries) => {
      await queries.saveProbeState(state({ probe: 'half' }));
      await client.abandon('for the test', undefined);
      await queries.saveProbeState(state());
    });
    const waiting = await Promise.allSettled([inTransaction, store.probeStates(), store.addResults([result()])]);
    const later = await Promise.allSettled([store.probeStates(), store.transaction(async () => 1)]);
    const away = { status: 'rejected', reason: { name: 'PermanentError', code: 'store_lost' } };
    for (const outcome of [...waiting, ...later]) expect(outcome).toMatchObject(away);
    await store.close();
    const again = await openHome(home);
    expect(await again.probeStates()).toStrictEqual([]);
    await again.close();
  });
});

it('ends a transaction that does not end by itself, and goes on', async () => {
  await withHome(async (home) => {
    const store = await openHome(home);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let saved = () => {};
    const hasSaved = new Promise<void>((resolve) => {
      saved = resolve;
    });
    const stalled = store.transaction(async (queries) => {
      await queries.saveProbeState(state());
      saved();
      await store.probeStates();
    });
    const outcome = expect(stalled).rejects.toMatchObject({ code: 'store_transaction_stalled' });
    await hasSaved;
    vi.advanceTimersByTime(30_000);
    await outcome;
    expect(await store.probeStates()).toStrictEqual([]);
    await store.close();
  });
});

it.skipIf(process.getuid?.() !== 0)(
  'reports a full disk, loses nothing, and goes on when there is room again',
  async () => {
    await withHome(async (home) => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', home]);
      try {
        const store = await openHome(home);
        await store.saveProbeState(state({ probe: 'before' }));
        const ballast = `${home}/ballast`;
        await writeFile(ballast, Buffer.alloc(2 ** 20)).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'ENOSPC' });
        });
        const filling = async () => {
          for (let index = 0; index < 500; index++) await store.insertIncident(incident({ cause: 'x'.repeat(2_000) }));
        };
        await expect(filling()).rejects.toMatchObject({
          name: 'RetryableError',
          code: expect.stringMatching(/^store_(full|io)$/),
        });
        expect((await store.probeStates()).map(({ probe }) => probe)).toStrictEqual(['before']);
        const inTransaction = store.transaction(async (queries) => {
          for (let index = 0; index < 500; index++)
            await queries.insertIncident(incident({ cause: 'x'.repeat(2_000) }));
        });
        await expect(inTransaction).rejects.toMatchObject({ name: 'RetryableError' });
        await rm(ballast);
        await store.saveProbeState(state({ probe: 'after' }));
        await store.close();
        const again = await openHome(home);
        expect((await again.probeStates()).map(({ probe }) => probe)).toStrictEqual(['after', 'before']);
        await again.close();
      } finally {
        execFileSync('umount', ['-l', home]);
      }
    });
  },
);
