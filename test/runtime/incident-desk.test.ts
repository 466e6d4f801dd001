import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshState } from '../../src/engine/track.ts';
import type { AlertKind, StateName, Verdict } from '../../src/model.ts';
import type { Store } from '../../src/ports.ts';
import { createIncidentDesk, type IncidentDesk } from '../../src/runtime/incident-desk.ts';
import { createLiveProbe } from '../../src/runtime/live-probe.ts';
import type { StateChange } from '../../src/runtime/state-writer.ts';
import { aProbe } from '../engine/definitions.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';
import { ownedClock } from './runtime-house.ts';

const clock = ownedClock();
let opened: OpenedForTest;
let store: Store;
let announced: AlertKind[];
let broken: boolean;

beforeEach(async () => {
  opened = await openTemporary();
  store = opened.store;
  [announced, broken] = [[], false];
});
afterEach(() => opened.dispose());

function open(): IncidentDesk {
  return createIncidentDesk({
    ...{ store, clock, onCommitted: () => undefined },
    meter: { incidentOpened: () => undefined, timeToDetect: () => undefined, timeToRecover: () => undefined },
    announcer:
      () =>
      async (_queries, { kind, incident }) => {
        if (broken) throw new Error('the disk is full');
        announced.push(kind);
        return incident;
      },
  });
}

function changeTo(to: StateName, wanted = () => true): StateChange {
  const live = createLiveProbe(aProbe(), undefined, clock.now());
  const verdict: Verdict = { kind: 'fail', reason: 'timeout', decidedBy: [], summary: 'no answer' };
  return {
    ...{ live, next: { ...freshState('web', 't1', clock.now()), state: to }, from: 'up', verdict },
    ...{ root: undefined, holdUntil: undefined, firstFailureAt: undefined, again: false, quiet: false, wanted },
  };
}

describe('a change of state', () => {
  it('is written with its incident, transition and alert, or not at all', async () => {
    const desk = open();
    broken = true;
    await expect(desk.change(changeTo('down'))).rejects.toThrow('the disk is full');
    expect(desk.open()).toEqual([]);
    expect(await store.openIncidents()).toEqual([]);
    expect(await store.probeStates()).toEqual([]);
    expect(await store.transitions({ limit: 10 })).toEqual([]);
    broken = false;
    await desk.change(changeTo('down'));
    expect(desk.ofProbe('web')).toMatchObject({ subject: 'web', paged: true });
    expect(await store.transitions({ limit: 10 })).toMatchObject([{ to: 'down', incidentId: desk.ofProbe('web')?.id }]);
    expect(announced).toEqual(['opened']);
  });

  it('is not written when its probe is not wanted any more by the time it is its turn', async () => {
    const desk = open();
    let wanted = true;
    const before = desk.self('stall', { title: 'Stall', cause: 'paused', severity: 'warning' });
    const change = desk.change(changeTo('down', () => wanted));
    wanted = false;
    await before;
    expect(await change).toBeUndefined();
    expect(desk.ofProbe('web')).toBeUndefined();
  });

  it('follows what was asked for before it: an incident that is being closed is not closed twice', async () => {
    const desk = open();
    await desk.change(changeTo('down'));
    const id = desk.ofProbe('web')?.id as number;
    const [byHand, recovered] = await Promise.all([desk.close(id, 'by_hand', 'ada'), desk.change(changeTo('up'))]);
    expect(byHand).toMatchObject({ resolution: 'by_hand' });
    expect(recovered).toEqual({ resolved: false });
    expect(announced).toEqual(['opened', 'resolved']);
  });
});

describe('our own trouble', () => {
  const TROUBLE = { title: 'Stall', cause: 'paused', severity: 'warning' } as const;

  it('goes on in the same incident when it comes back soon', async () => {
    const desk = open();
    await desk.self('stall', TROUBLE);
    const first = desk.open()[0]?.id;
    await desk.self('stall', undefined);
    clock.advance(60_000);
    await desk.self('stall', TROUBLE);
    expect(desk.open()).toMatchObject([{ id: first, reopened: 1 }]);
    await desk.self('stall', undefined);
    clock.advance(3_600_000);
    await desk.self('stall', TROUBLE);
    expect(desk.open()[0]?.id).not.toBe(first);
    expect(announced).toEqual(['opened', 'resolved', 'reopened', 'resolved', 'opened']);
  });

  it('is opened once for each subject, also over a restart, and closed once', async () => {
    await open().self('stall', TROUBLE);
    const desk = open();
    await desk.load();
    await Promise.all([desk.self('stall', TROUBLE), desk.self('stall', TROUBLE)]);
    expect(await store.openIncidents()).toHaveLength(1);
    await Promise.all([desk.self('stall', undefined), desk.self('stall', undefined)]);
    expect(await store.openIncidents()).toEqual([]);
    expect(announced).toEqual(['opened', 'resolved']);
  });
});

describe('an edit', () => {
  it('of an incident that is closed by then is declined, and one that fails leaves it as it was', async () => {
    const desk = open();
    await desk.change(changeTo('down'));
    const incident = desk.ofProbe('web');
    if (!incident) throw new Error('nothing was opened');
    broken = true;
    const acknowledge = {
      ...{ kind: 'acknowledged', text: 'ada', alert: 'progress' as const },
      edit: (now: typeof incident) => ({ ...now, acknowledgedBy: 'ada' }),
    };
    await expect(desk.edit(incident.id, acknowledge)).rejects.toThrow('the disk is full');
    expect(desk.byId(incident.id)).toEqual(incident);
    broken = false;
    await desk.close(incident.id, 'by_hand', 'ada');
    expect(await desk.edit(incident.id, acknowledge)).toBeUndefined();
  });
});
