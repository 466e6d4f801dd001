import { afterEach, beforeEach, expect, it } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import type { Attempt } from '../../src/model.ts';
import type { Meter, Store } from '../../src/ports.ts';
import { type AttemptJournal, createAttemptJournal } from '../../src/runtime/attempt-journal.ts';
import { type Backlog, createBacklog } from '../../src/runtime/backlog.ts';
import { createIncidentDesk } from '../../src/runtime/incident-desk.ts';
import { anAttempt, anIncident } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';
import { ownedClock } from './runtime-house.ts';

const clock = ownedClock();
let opened: OpenedForTest;
let journal: AttemptJournal;
let backlog: Backlog;
let isAway: boolean;
/** The answers to the next transactions are lost, though they are committed. */
let lost: number;
let ended: string[];
let told: string[];

beforeEach(async () => {
  opened = await openTemporary();
  [ended, told, isAway, lost] = [[], [], false, 0];
  const store: Store = {
    ...opened.store,
    async transaction(work) {
      const answer = await opened.store.transaction(work);
      lost -= 1;
      if (lost >= 0) throw new RetryableError('store_away', 'the connection was lost');
      return answer;
    },
  };
  const meter = { attemptEnded: (_remediation, outcome) => ended.push(outcome) } as Partial<Meter> as Meter;
  const desk = createIncidentDesk({
    ...{ store, clock, meter, onCommitted: () => undefined },
    announcer:
      () =>
      async (_queries, { note, incident }) => {
        told.push(note ?? '');
        return incident;
      },
  });
  backlog = createBacklog({ log: quietLog, storeAway: () => isAway });
  journal = createAttemptJournal({ store, clock, log: quietLog, meter, desk, backlog });
});
afterEach(() => opened.dispose());

async function drained(): Promise<void> {
  while (backlog.count() > 0) await backlog.drain();
}

async function verifying(): Promise<Attempt> {
  const { id: _incident, ...incident } = anIncident();
  const { id: incidentId } = await opened.store.insertIncident(incident);
  const fence = (await opened.store.acquireLock('deed:restart', 'restart', 0, 10_000)) as number;
  const { id: _attempt, endedAt: _ended, ...rest } = anAttempt({ state: 'verifying', resource: 'deed:restart', fence });
  return opened.store.insertAttempt({ ...rest, incidentId });
}

it('ends an attempt with its row, its lock, its line of the story and its alert together', async () => {
  const attempt = await verifying();
  await journal.end(attempt, 'failed', 'restart did not bring it up in time');
  expect(await opened.store.attempt(attempt.id)).toMatchObject({ state: 'failed' });
  expect(await opened.store.acquireLock('deed:restart', 'other', 1, 2)).toBeDefined();
  expect((await opened.store.timeline(attempt.incidentId as number)).map(({ kind }) => kind)).toEqual([
    'attempt_failed',
  ]);
  expect(told).toEqual(['restart did not bring it up in time']);
  expect(ended).toEqual(['failed']);
});

it('leaves one healed that a change of state has healed a moment ago', async () => {
  const attempt = await verifying();
  await opened.store.updateAttempt({ ...attempt, state: 'healed', endedAt: clock.now() });
  expect(await journal.end(attempt, 'failed', 'too late')).toMatchObject({ state: 'healed' });
  expect(await opened.store.attempt(attempt.id)).toMatchObject({ state: 'healed' });
  expect((await opened.store.timeline(attempt.incidentId as number)).map(({ kind }) => kind)).toEqual([
    'attempt_healed',
  ]);
  expect(told).toEqual([]);
  expect(ended).toEqual(['healed']);
});

it('leaves one ended that ended while an earlier step of it was still to be written', async () => {
  const attempt = await verifying();
  isAway = true;
  await journal.save(attempt);
  // The store is back, and the rest of what was kept is about to be written.
  isAway = false;
  await journal.end(attempt, 'failed', 'too late');
  await backlog.drain();
  await backlog.drain();
  expect(await opened.store.attempt(attempt.id)).toMatchObject({ state: 'failed', endedAt: expect.any(Number) });
});

it('tells once what was told though the answer was lost, and all that an act has said in one moment', async () => {
  const attempt = await verifying();
  await opened.store.updateAttempt({ ...attempt, state: 'healed', endedAt: clock.now() });
  lost = 1;
  await journal.tell(attempt, 'half of it is done');
  await journal.tell(attempt, 'and the other half');
  await drained();
  lost = 1;
  await journal.healed({ ...attempt, state: 'healed', endedAt: clock.now() }, 'restart healed it');
  await drained();
  const story = await opened.store.timeline(attempt.incidentId as number);
  expect(story.map(({ kind }) => kind)).toEqual(['attempt_told', 'attempt_told', 'attempt_healed']);
  expect(told).toEqual(['half of it is done', 'and the other half']);
});

it('tells a healing of the moment at which it ended, however late it is seen', async () => {
  const attempt = await verifying();
  const endedAt = clock.now() - 60_000;
  await journal.healed({ ...attempt, state: 'healed', endedAt }, 'restart healed it');
  expect(await opened.store.timeline(attempt.incidentId as number)).toMatchObject([
    { kind: 'attempt_healed', at: endedAt },
  ]);
});
