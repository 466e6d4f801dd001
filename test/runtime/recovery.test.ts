/** What an earlier process left in the middle, taken up by the next one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshState } from '../../src/engine/track.ts';
import type { Attempt, Incident } from '../../src/model.ts';
import { type ProcessEntry, readProcess } from '../../src/shared/process-table.ts';
import { anAttempt, anIncident } from '../engine/definitions.ts';
import { alertOf } from '../notifiers/alerts.ts';
import { type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const FACTS: HomeFacts = {
  probes: [{ name: 'web', remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] }],
  remediations: [{ name: 'restart' }],
};

/** A probe that is down, its incident, and an attempt in this state; the target is well again. */
async function leave(changes: Partial<Attempt>): Promise<{ incident: Incident; attempt: Attempt }> {
  const { store, clock } = house;
  const now = clock.now();
  const { id: _incident, ...incident } = anIncident({ openedAt: now, activeAt: now });
  const opened = await store.insertIncident(incident);
  const told = { createdAt: now, dueAt: now, sentAt: now, state: 'sent', tries: 1 } as const;
  await store.insertNotification({ ...told, notifier: 'ear', incidentId: opened.id, alert: alertOf({ at: now }) });
  await store.saveProbeState({ ...freshState('web', 't1', now), state: 'down' });
  const fence = (await store.acquireLock('deed:restart', 'restart', now, now + 600_000)) as number;
  const { id: _attempt, endedAt: _ended, ...rest } = anAttempt({ type: 'deed', resource: 'deed:restart' });
  const attempt = await store.insertAttempt({
    ...rest,
    incidentId: opened.id,
    fence,
    intendedAt: now,
    startedAt: now,
    ...changes,
  });
  return { incident: opened, attempt };
}

async function ended(attempt: Attempt): Promise<Attempt> {
  await house.until(async () => (await house.store.attempt(attempt.id))?.endedAt !== undefined);
  return (await house.store.attempt(attempt.id)) as Attempt;
}

describe('an attempt that a crash interrupted', () => {
  it('before it acted is taken back, and the healer decides afresh', async () => {
    house.see('web', 'timeout');
    const { attempt } = await leave({ state: 'intended' });
    await house.start(FACTS);
    expect(await ended(attempt)).toMatchObject({ state: 'refused', refusal: 'stopping' });
    await house.until(() => house.acts.length === 1);
  });

  it.each(['running', 'settling', 'verifying'] as const)(
    'while it was %s is verified, and not run again',
    async (state) => {
      const { attempt } = await leave({ state });
      await house.start(FACTS);
      expect(await ended(attempt)).toMatchObject({ state: 'healed' });
      await house.until(() => house.kinds().includes('resolved'));
      expect(house.acts).toEqual([]);
      expect(house.heard.at(-1)?.alert).toMatchObject({ kind: 'resolved', incident: { healedBy: 'restart' } });
    },
  );

  it('and did not heal is unknown where nobody saw the act end, and uses up its try', async () => {
    house.see('web', 'timeout');
    const { attempt } = await leave({ state: 'running', verifyUntil: house.clock.now() + 500 });
    await house.start(FACTS);
    expect(await ended(attempt)).toMatchObject({ state: 'unknown' });
    await house.until(() => house.open('web')?.exhausted);
    expect(house.acts).toEqual([]);
  });

  it('frees its lock at its end', async () => {
    const { attempt } = await leave({ state: 'verifying' });
    await house.start(FACTS);
    await ended(attempt);
    const now = house.clock.now();
    expect(await house.store.acquireLock('deed:restart', 'other', now, now + 1)).toBeDefined();
  });

  it('whose definition is gone meanwhile is unknown', async () => {
    const { attempt } = await leave({ state: 'running' });
    await house.start({ ...FACTS, remediations: [], probes: [{ name: 'web' }] });
    expect(await ended(attempt)).toMatchObject({ state: 'unknown' });
  });

  it('has its child ended, which had outlived the daemon', async () => {
    const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    const exited = once(child, 'exit');
    const { pid, startTicks } = readProcess(child.pid as number) as ProcessEntry;
    try {
      const { attempt } = await leave({ state: 'running', child: { pid, startTicks } });
      await house.start(FACTS);
      await exited;
      expect(await ended(attempt)).toMatchObject({ state: 'healed' });
    } finally {
      child.kill('SIGKILL');
    }
  });
});
