import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Store } from '../../src/ports.ts';
import { WorkerClient } from '../../src/store/sqlite/client.ts';
import { sqliteEngine } from '../../src/store/sqlite/engine.ts';
import { createStore } from '../../src/store/store.ts';
import { startWriter } from './child.ts';
import { incident, state } from './records.ts';
import { fileOf, openHome, withHome } from './sqlite.ts';

const ALL = { from: 0, to: Number.POSITIVE_INFINITY, limit: 1e6 };

/** Everything that was acknowledged is there, and nothing by half. */
async function expectWhole(store: Store, committed: readonly string[]): Promise<void> {
  const states = new Set((await store.probeStates()).map(({ probe }) => probe));
  const incidents = new Map((await store.openIncidents()).map(({ subject, id }) => [subject, id]));
  const transitions = await store.transitions({ limit: 1e6 });
  for (const probe of committed) expect(states).toContain(probe);
  expect(incidents.size).toBe(states.size);
  expect(transitions).toHaveLength(states.size);
  for (const { probe, incidentId } of transitions) expect(incidentId).toBe(incidents.get(probe));
  for (const probe of committed.slice(-5)) expect(await store.results({ probe, ...ALL })).toHaveLength(2);
}

it('loses nothing it acknowledged and keeps nothing by half when the process is killed at any moment', async () => {
  await withHome(async (home) => {
    const committed: string[] = [];
    for (let run = 0; run < 4; run++) {
      const writer = startWriter(home, run);
      try {
        await writer.started;
        await sleep(Math.random() * 300);
      } finally {
        await writer.kill();
      }
      committed.push(...writer.committed);
      const store = await openHome(home);
      await expectWhole(store, committed).finally(() => store.close());
    }
    expect(committed.length).toBeGreaterThan(20);
  });
}, 90_000);

it('opens after a kill at any moment of the very first start', async () => {
  await withHome(async (home) => {
    for (let run = 0; run < 3; run++) {
      const ownHome = join(home, String(run));
      const writer = startWriter(ownHome, run);
      try {
        const deadline = Date.now() + 20_000;
        while (Date.now() < deadline && !(await exists(join(ownHome, 'data')))) await sleep(2);
        await sleep(run * 25);
      } finally {
        await writer.kill();
      }
      const store = await openHome(ownHome);
      await expectWhole(store, writer.committed).finally(() => store.close());
    }
  });
}, 90_000);

it('refuses a second process, names the home, and opens as soon as the first was killed', async () => {
  await withHome(async (home) => {
    const writer = startWriter(home, 0);
    try {
      await writer.started;
      await expect(openHome(home)).rejects.toMatchObject({
        name: 'PermanentError',
        code: 'store_locked',
        message: expect.stringMatching(new RegExp(`another daemon holds ${home}/`)),
      });
    } finally {
      await writer.kill();
    }
    await (await openHome(home)).close();
  });
}, 60_000);

it('lets only one of two that start on a new home at once have it', async () => {
  await withHome(async (home) => {
    const writers = [startWriter(home, 0, 'ignore'), startWriter(home, 1, 'ignore')];
    try {
      await Promise.all(writers.map(({ started }) => started));
    } finally {
      await Promise.all(writers.map((writer) => writer.kill()));
    }
    expect(writers.filter(({ committed }) => committed.length > 0)).toHaveLength(1);
    const store = await openHome(home);
    await expectWhole(
      store,
      writers.flatMap(({ committed }) => [...committed]),
    ).finally(() => store.close());
  });
}, 60_000);

it('starts from what a kill before any statement of a migration leaves behind', async () => {
  await withHome(async (home) => {
    await mkdir(join(home, 'data'));
    const client = await WorkerClient.open(fileOf(home));
    const snapshots: string[] = [];
    const call = client.call.bind(client);
    client.call = async (request) => {
      if (request.kind === 'close') return call(request);
      const snapshot = join(home, `before-${snapshots.length}`);
      snapshots.push(snapshot);
      await copyData(home, snapshot);
      return call(request);
    };
    const { store } = await createStore(sqliteEngine(client), { now: () => 0 });
    await store.close();
    expect(snapshots.length).toBeGreaterThan(30);
    for (const snapshot of snapshots) {
      const revived = await openHome(snapshot);
      await revived.insertIncident(incident());
      await revived.close();
    }
  });
}, 60_000);

it('leaves one file, closed twice or not, for its owner alone', async () => {
  await withHome(async (home) => {
    const store = await openHome(home);
    await store.saveProbeState(state());
    const folder = join(home, 'data');
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    const last = store.saveProbeState(state({ probe: 'last' }));
    await Promise.all([store.close(), store.close()]);
    await last;
    await store.close();
    expect(await readdir(folder)).toStrictEqual(['brainstem.db']);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await expect(store.probeStates()).rejects.toMatchObject({ name: 'RetryableError', code: 'store_away' });
    const again = await openHome(home);
    expect((await again.probeStates()).map(({ probe }) => probe)).toContain('last');
    await again.close();
  });
});

/** The files as a kill would leave them now: the worker is idle between two statements. */
async function copyData(home: string, copy: string): Promise<void> {
  await mkdir(join(copy, 'data'), { recursive: true });
  for (const name of await readdir(join(home, 'data'))) {
    await copyFile(join(home, 'data', name), join(copy, 'data', name));
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
