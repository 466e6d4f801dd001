import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Condition, Configuration, Probe, WindowUse } from '../../src/model.ts';
import type { Store } from '../../src/ports.ts';
import { createBacklog } from '../../src/runtime/backlog.ts';
import { createIncidentDesk } from '../../src/runtime/incident-desk.ts';
import { createProbeSet, type ProbeSet } from '../../src/runtime/probe-set.ts';
import { aProbe } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';
import { ownedClock } from './runtime-house.ts';

const COUNT: WindowUse = { function: 'count', field: 'latency_ms', spanMs: 60_000 };
const LOOKS_BACK: Condition = {
  ...{ source: 'count("latency_ms", "1m") > 0', location: { file: 'probes/test.yaml', line: 1, column: 1 } },
  ...{ paths: [], windows: [COUNT], evaluate: () => ({ outcome: 'true', detail: '' }) },
};
const WEB = aProbe({ expect: [LOOKS_BACK] });

const clock = ownedClock();
let opened: OpenedForTest;
let store: Store;
beforeEach(async () => {
  opened = await openTemporary();
  store = opened.store;
});
afterEach(() => opened.dispose());

function begin(): ProbeSet {
  const desk = createIncidentDesk({
    ...{
      store,
      clock,
      onCommitted: () => undefined,
      announcer:
        () =>
        async (_, { incident }) =>
          incident,
    },
    meter: { incidentOpened: () => undefined, timeToDetect: () => undefined, timeToRecover: () => undefined },
  });
  return createProbeSet({ store, clock, desk, backlog: createBacklog({ log: quietLog, storeAway: () => false }) });
}

function homeOf(...probes: Probe[]): Configuration {
  return { probes: new Map(probes.map((probe) => [probe.name, probe])) } as Partial<Configuration> as Configuration;
}

/** Returns the time of the newest one. */
async function storeResults(): Promise<number> {
  const now = clock.now();
  await store.addResults(
    [50_000, 40_000, 30_000, 20_000, 10_000].map((ago) => ({
      ...{ probe: 'web', at: now - ago, latencyMs: 5, reason: 'ok', verdict: 'pass', revision: 'r1' },
      ...{ error: false, values: {} },
    })),
  );
  return now - 10_000;
}

function counted(probes: ProbeSet): number | undefined {
  return probes.get('web')?.window?.ring.reader(clock.now()).read(COUNT);
}

describe('windows', () => {
  it('are refilled from what is stored at a start, and when the conditions change', async () => {
    await storeResults();
    const probes = begin();
    await probes.apply(homeOf(WEB));
    expect(counted(probes)).toBe(5);
    await probes.apply(homeOf({ ...WEB, revision: 'r2', failAfter: 9 }));
    expect(counted(probes)).toBe(5);
  });

  it('are empty for another target, at a reload and at a start', async () => {
    await storeResults();
    const probes = begin();
    await probes.apply(homeOf(WEB));
    const state = probes.get('web')?.state;
    if (state) await store.saveProbeState({ ...state, state: 'up' });
    await probes.apply(homeOf({ ...WEB, revision: 'r2', targetRevision: 't2' }));
    expect(counted(probes)).toBeUndefined();
    const restarted = begin();
    await restarted.apply(homeOf({ ...WEB, revision: 'r2', targetRevision: 't2' }));
    expect(counted(restarted)).toBeUndefined();
    expect(restarted.get('web')?.state).toMatchObject({ state: 'up', targetRevision: 't2' });
  });
});

describe('a reload', () => {
  it('names what is new, changed and gone, and does not disturb the rest', async () => {
    const probes = begin();
    const same = aProbe({ name: 'same' });
    await probes.apply(homeOf(same, aProbe({ name: 'changed' }), aProbe({ name: 'gone' })));
    const before = probes.get('same');
    const changed = await probes.apply(
      homeOf({ ...same }, aProbe({ name: 'changed', revision: 'r2' }), aProbe({ name: 'new' })),
    );
    expect([...changed].sort()).toEqual(['changed', 'gone', 'new']);
    expect(probes.get('same')).toBe(before);
    expect(probes.get('gone')).toBeUndefined();
  });

  it('runs what is new or changed at once, what is known at its time, and what is paused or unconfigured not at all', async () => {
    const newest = await storeResults();
    const probes = begin();
    await probes.apply(
      homeOf(
        WEB,
        aProbe({ name: 'new' }),
        aProbe({ name: 'held', paused: true }),
        aProbe({ name: 'bare', unset: ['URL'] }),
      ),
    );
    const runs = (set: ProbeSet) => Object.fromEntries(set.scheduled().map((each) => [each.name, each.lastRunAt]));
    expect(runs(probes)).toEqual({ web: newest, new: undefined });
    await probes.apply(homeOf({ ...WEB, revision: 'r2' }));
    expect(runs(probes)).toEqual({ web: undefined });
  });

  it('keeps a bad state with its incident, clears the streaks of another target, and forgets what is held', async () => {
    const probes = begin();
    await probes.apply(homeOf(WEB));
    const live = probes.get('web');
    if (!live) throw new Error('web is not there');
    live.state = { ...live.state, state: 'down', streaks: { ...live.state.streaks, failing: 3, notPassing: 3 } };
    await probes.apply(homeOf({ ...WEB, revision: 'r2', failAfter: 5 }));
    expect(live.state).toMatchObject({ state: 'down', streaks: { failing: 3 } });
    await probes.apply(homeOf({ ...WEB, revision: 'r3', targetRevision: 't2' }));
    expect(live.state).toMatchObject({ state: 'down', streaks: { failing: 0 } });
    await probes.apply(homeOf({ ...WEB, revision: 'r4', targetRevision: 't2', paused: true }));
    expect(live.state.state).toBe('paused');
    await probes.apply(homeOf({ ...WEB, revision: 'r5', targetRevision: 't2' }));
    expect(live.state).toMatchObject({ state: 'unknown', streaks: { failing: 0 } });
  });

  it('drops the stored state of what is gone, also of what went while the daemon was away', async () => {
    const probes = begin();
    await probes.apply(homeOf(WEB, aProbe({ name: 'gone' })));
    for (const { state } of probes.all()) await store.saveProbeState({ ...state, state: 'up' });
    await probes.apply(homeOf(WEB));
    expect((await store.probeStates()).map(({ probe }) => probe)).toEqual(['web']);
    await begin().apply(homeOf(aProbe({ name: 'other' })));
    expect(await store.probeStates()).toEqual([]);
  });
});
