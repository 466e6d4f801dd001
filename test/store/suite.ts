/** What every store must do, whatever database is beneath it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attempt, Heartbeat, Incident, Notification, Silence, Transition } from '../../src/model.ts';
import type { Store } from '../../src/ports.ts';
import { attempt, DAY, fresh, incident, notification, ODD, state } from './records.ts';
import { describeResults } from './results-suite.ts';
import type { OpenedForTest } from './sqlite.ts';

const HOUR = 3_600_000;

export function storeSuite(name: string, open: () => Promise<OpenedForTest>): void {
  describe(name, () => {
    let store: Store;
    let opened: OpenedForTest;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.dispose());

    describeProbes(() => store);
    describeIncidents(() => store);
    describeAttempts(() => store);
    describeLocks(() => store);
    describeSwitches(() => store);
    describeNotifications(() => store);
    describeHeartbeatsAndAudit(() => store);
    describeSilences(() => store);
    describeTransactions(() => store);
  });
  describeResults(`${name}: results`, open);
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

function describeProbes(store: () => Store): void {
  it('keeps the latest state of each probe, and forgets a deleted one', async () => {
    const first = state({ probe: ODD });
    await store().saveProbeState(first);
    const second = { ...first, state: 'down' as const, since: DAY + 5, streaks: { ...first.streaks, failing: 9 } };
    await store().saveProbeState(second);
    expect((await store().probeStates()).filter(({ probe }) => probe === ODD)).toStrictEqual([second]);
    await store().deleteProbeState(ODD);
    expect((await store().probeStates()).filter(({ probe }) => probe === ODD)).toStrictEqual([]);
  });

  it('lists transitions newest first, by probe and since a time, with and without an incident', async () => {
    const probe = fresh('probe');
    const { id: incidentId } = await store().insertIncident(incident());
    const change: Omit<Transition, 'id'> = { probe, from: 'up', to: 'down', at: DAY, reason: 'dns', summary: ODD };
    const first = await store().insertTransition(change);
    const second = await store().insertTransition({ ...change, from: 'down', to: 'up', at: DAY + 9, incidentId });
    expect(first).toStrictEqual({ ...change, id: first.id });
    expect(await store().transitions({ probe, limit: 10 })).toStrictEqual([second, first]);
    expect(await store().transitions({ probe, since: DAY + 1, limit: 10 })).toStrictEqual([second]);
    expect(await store().transitions({ probe, limit: 1 })).toStrictEqual([second]);
    expect((await store().transitions({ limit: 1 }))[0]).toStrictEqual(second);
  });
}

function describeIncidents(store: () => Store): void {
  it('gives back an incident with nothing optional, then with everything optional, then with nothing again', async () => {
    const bare = await store().insertIncident(incident());
    const parent = await store().insertIncident(incident());
    expect(await store().incident(bare.id)).toStrictEqual(bare);
    const full: Incident = {
      ...bare,
      resolvedAt: DAY + 2,
      resolution: 'by_hand',
      parentId: parent.id,
      acknowledgedAt: DAY + 3,
      acknowledgedBy: ODD,
      holdUntil: DAY + 4,
      healedBy: 'restart',
      paged: true,
      degraded: false,
      exhausted: true,
      withheld: 'escalated',
      withheldBy: 'silence',
      reopened: 3,
    };
    await store().updateIncident(full);
    expect(await store().incident(bare.id)).toStrictEqual(full);
    await store().updateIncident(bare);
    expect(await store().incident(bare.id)).toStrictEqual(bare);
  });

  it('refuses a second open incident of a subject, also when all open it at once', async () => {
    const opening = incident();
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => store().insertIncident(opening)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    for (const refusal of refusals) expect(refusal).toMatchObject({ name: 'ConflictError', code: 'incident_open' });
    const [open] = await store().incidents({ open: true, subject: opening.subject, limit: 9 });
    await store().updateIncident({ ...(open as Incident), resolvedAt: DAY + 1, resolution: 'recovered' });
    const next = await store().insertIncident(opening);
    expect(await store().lastIncident('probe', opening.subject)).toStrictEqual(next);
    const reopened = failureOf(store().updateIncident(open as Incident));
    expect(await reopened).toMatchObject({ name: 'ConflictError', code: 'incident_open' });
    await store().insertIncident({ ...opening, source: 'self' });
  });

  it('lists incidents newest first: open ones, of a subject, before an id', async () => {
    const subject = fresh('subject');
    const first = await store().insertIncident(incident({ subject, resolvedAt: DAY, resolution: 'recovered' }));
    const second = await store().insertIncident(incident({ subject }));
    expect(await store().incidents({ subject, limit: 9 })).toStrictEqual([second, first]);
    expect(await store().incidents({ subject, open: false, limit: 9 })).toStrictEqual([first]);
    expect(await store().incidents({ subject, open: true, limit: 9 })).toStrictEqual([second]);
    expect(await store().incidents({ subject, beforeId: second.id, limit: 9 })).toStrictEqual([first]);
    const open = await store().openIncidents();
    expect(open[0]).toStrictEqual(second);
    expect(open).not.toContainEqual(first);
    expect(await store().lastIncident('self', subject)).toBeUndefined();
    expect(await store().incident(-1)).toBeUndefined();
  });

  it('lists those that are over and of which people are owed that they are', async () => {
    const over = { resolvedAt: DAY, resolution: 'recovered', withheldBy: 'flapping' } as const;
    const owed = await store().insertIncident(incident({ ...over, withheld: 'resolved' }));
    await store().insertIncident(incident({ ...over, withheld: 'reopened' }));
    expect(await store().endsWithheld()).toStrictEqual([owed]);
    const { withheld: _told, withheldBy: _by, ...told } = owed;
    await store().updateIncident(told);
    expect(await store().endsWithheld()).toStrictEqual([]);
  });

  it('says so when an incident to change does not exist', async () => {
    expect(await failureOf(store().updateIncident({ ...incident(), id: -1 }))).toMatchObject({
      name: 'NotFoundError',
      code: 'incident_not_found',
    });
  });

  it('tells the story of an incident from its beginning', async () => {
    const { id: incidentId } = await store().insertIncident(incident());
    const entries = ['opened', 'comment'].map((kind) => ({ incidentId, at: DAY, kind, text: ODD, actor: 'ann' }));
    for (const entry of entries) await store().addTimeline(entry);
    const stored = await store().timeline(incidentId);
    expect(stored.map(({ id: _, ...entry }) => entry)).toStrictEqual(entries);
  });
}

function describeAttempts(store: () => Store): void {
  it('gives back an attempt with nothing optional, then with everything optional', async () => {
    const bare = await store().insertAttempt(attempt());
    expect(await store().attempt(bare.id)).toStrictEqual(bare);
    const { id: incidentId } = await store().insertIncident(incident());
    const full: Attempt = {
      ...bare,
      incidentId,
      state: 'refused',
      refusal: 'cooldown',
      startedAt: DAY + 1,
      actedAt: DAY + 2,
      settleUntil: DAY + 3,
      verifyUntil: DAY + 4,
      endedAt: DAY + 5,
      exitCode: 0,
      output: ODD,
      error: '',
      child: { pid: 12, startTicks: 34_567 },
    };
    await store().updateAttempt(full);
    expect(await store().attempt(bare.id)).toStrictEqual(full);
    expect(await failureOf(store().updateAttempt({ ...full, id: -1 }))).toMatchObject({ code: 'attempt_not_found' });
  });

  it('finds and counts attempts by each filter and by all of them', async () => {
    const remediation = fresh('remediation');
    const { id: incidentId } = await store().insertIncident(incident());
    const refused = await store().insertAttempt(attempt({ remediation, state: 'refused', refusal: 'limit' }));
    const ran = await store().insertAttempt(
      attempt({ remediation, incidentId, state: 'healed', intendedAt: DAY, startedAt: DAY + HOUR }),
    );
    const find = (filter: object) => store().attempts({ remediation, limit: 9, ...filter });
    expect(await find({})).toStrictEqual([ran, refused]);
    expect(await find({ limit: 1 })).toStrictEqual([ran]);
    expect(await find({ started: true })).toStrictEqual([ran]);
    expect(await find({ started: false })).toStrictEqual([refused]);
    expect(await find({ states: ['refused', 'running'] })).toStrictEqual([refused]);
    expect(await find({ states: [] })).toStrictEqual([]);
    expect(await find({ incidentId })).toStrictEqual([ran]);
    expect(await find({ probe: refused.probe })).toStrictEqual([refused]);
    expect(await find({ resource: ran.resource, started: true, states: ['healed'] })).toStrictEqual([ran]);
    // The intent was before, the act was within the time that a limit asks about.
    expect(await find({ since: DAY + 1 })).toStrictEqual([]);
    expect(await find({ since: DAY + 1, started: true })).toStrictEqual([ran]);
    expect(await store().countAttempts({ remediation, started: true, since: DAY + HOUR })).toBe(1);
    expect(await store().countAttempts({ remediation })).toBe(2);
    expect(await store().countAttempts({ remediation: fresh('remediation') })).toBe(0);
  });
}

function describeLocks(store: () => Store): void {
  it('gives a lock to one of many who ask at once, and not to a second until it expires', async () => {
    const resource = fresh('container');
    const fences = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store().acquireLock(resource, `owner-${index}`, 1_000, 2_000)),
    );
    expect(fences.filter((fence) => fence !== undefined)).toStrictEqual([1]);
    expect(await store().acquireLock(resource, 'owner-0', 1_999, 3_000)).toBeUndefined();
    expect(await store().acquireLock(resource, 'other', 2_000, 3_000)).toBe(2);
  });

  it('refuses the renewal of a lock that was lost or released', async () => {
    const resource = fresh('container');
    expect(await store().acquireLock(resource, 'one', 1_000, 2_000)).toBe(1);
    expect(await store().renewLock(resource, 1, 2_500)).toBe(true);
    expect(await store().acquireLock(resource, 'two', 2_400, 3_000)).toBeUndefined();
    expect(await store().acquireLock(resource, 'two', 2_500, 3_500)).toBe(2);
    expect(await store().renewLock(resource, 1, 9_000)).toBe(false);
    await store().releaseLock(resource, 1);
    expect(await store().renewLock(resource, 2, 4_000)).toBe(true);
    await store().releaseLock(resource, 2);
    expect(await store().renewLock(resource, 2, 9_000)).toBe(false);
  });

  it('raises the fence of a resource for ever, also across releases', async () => {
    const resource = fresh('container');
    for (let expected = 1; expected <= 5; expected++) {
      expect(await store().acquireLock(resource, 'owner', 1_000, 2_000)).toBe(expected);
      await store().releaseLock(resource, expected);
    }
  });
}

function describeSwitches(store: () => Store): void {
  it('disarms until somebody arms', async () => {
    const entry = { remediation: fresh('restart'), at: DAY, why: ODD };
    await store().disarm(entry);
    await store().disarm({ ...entry, at: DAY + 1 });
    expect(await store().disarmed()).toStrictEqual([{ ...entry, at: DAY + 1 }]);
    expect(await store().arm(entry.remediation)).toBe(true);
    expect(await store().arm(entry.remediation)).toBe(false);
    expect(await store().disarmed()).toStrictEqual([]);
  });

  it('freezes until somebody unfreezes', async () => {
    expect(await store().frozen()).toBeUndefined();
    await store().freeze({ at: DAY, by: 'ann', why: ODD });
    await store().freeze({ at: DAY + 1, by: 'bob', why: '' });
    expect(await store().frozen()).toMatchObject({ at: DAY + 1, by: 'bob', why: '' });
    expect(await store().unfreeze()).toBe(true);
    expect(await store().unfreeze()).toBe(false);
    expect(await store().frozen()).toBeUndefined();
  });
}

function describeNotifications(store: () => Store): void {
  it('gives back a notification with nothing optional, then with everything optional', async () => {
    const bare = await store().insertNotification(notification());
    const opened = await store().insertIncident(incident());
    const digest = [{ incidentId: opened.id, title: 't', kind: 'opened' as const }];
    const full = await store().insertNotification({
      ...notification({ notifier: bare.notifier }),
      incidentId: opened.id,
      alert: { ...bare.alert, incident: opened, digest },
      state: 'sent',
      tries: 2,
      lastError: ODD,
      sentAt: DAY + 3,
      fallbackFor: 'email',
      carriedBy: bare.id,
    });
    expect(await store().notifications({ incidentId: opened.id, limit: 9 })).toStrictEqual([full]);
    expect(await store().pendingNotifications({ notifier: bare.notifier, limit: 9 })).toStrictEqual([bare]);
    expect((await store().notifications({ limit: 2 })).map(({ id }) => id)).toStrictEqual([full.id, bare.id]);
    await store().updateNotification({ ...bare, state: 'dropped' });
    expect(await failureOf(store().updateNotification({ ...bare, id: -1 }))).toMatchObject({
      code: 'notification_not_found',
    });
  });

  it('pages through what is pending, oldest first, and counts it by notifier', async () => {
    const notifier = fresh('slack');
    const rows: Notification[] = [];
    for (let i = 0; i < 3; i++) rows.push(await store().insertNotification(notification({ notifier })));
    const other = await store().insertNotification(notification());
    await store().updateNotification({ ...(rows[1] as Notification), state: 'sent', sentAt: DAY });
    expect(await store().pendingNotifications({ notifier, limit: 9 })).toStrictEqual([rows[0], rows[2]]);
    expect(await store().pendingNotifications({ notifier, limit: 1 })).toStrictEqual([rows[0]]);
    expect(await store().pendingNotifications({ notifier, afterId: rows[0]?.id ?? 0, limit: 9 })).toStrictEqual([
      rows[2],
    ]);
    expect((await store().pendingNotifications({ limit: 99 })).map(({ id }) => id)).toContain(other.id);
    const counts = await store().countPending();
    expect([counts.get(notifier), counts.get(other.notifier), counts.get('nobody')]).toStrictEqual([2, 1, undefined]);
  });

  it('remembers a conversation as the notifier gave it', async () => {
    const { id } = await store().insertIncident(incident());
    expect(await store().conversation('slack', id)).toBeUndefined();
    for (const conversation of [{ channel: ODD, ts: '1.2', n: [1, null, { a: '\0' }] }, 'thread', 7, null]) {
      await store().saveConversation('slack', id, conversation);
      expect(await store().conversation('slack', id)).toStrictEqual(conversation);
    }
    expect(await store().conversation('email', id)).toBeUndefined();
  });
}

function describeSilences(store: () => Store): void {
  const asked: Omit<Silence, 'id'> = {
    ...{ matchers: ['probe="web"', `team=~${JSON.stringify(ODD)}`], startsAt: DAY, endsAt: DAY + HOUR },
    ...{ author: ODD, comment: ODD, createdAt: DAY - 1 },
  };

  it('keeps a silence, ends it by hand once, and lists newest first what is not over', async () => {
    const first = await store().insertSilence(asked);
    const second = await store().insertSilence({ ...asked, endsAt: DAY + 2 * HOUR });
    expect(await store().silence(first.id)).toStrictEqual({ ...asked, id: first.id });
    expect(await store().silences({ limit: 2 })).toStrictEqual([second, first]);
    expect(await store().silences({ endingAfter: DAY + HOUR - 1, limit: 9 })).toStrictEqual([second, first]);
    expect(await store().silences({ endingAfter: DAY + HOUR, limit: 9 })).toStrictEqual([second]);
    expect(await store().expireSilence(first.id, DAY + HOUR)).toBe(false);
    expect(await store().expireSilence(second.id, DAY + 5)).toBe(true);
    expect(await store().expireSilence(second.id, DAY + 6)).toBe(false);
    expect(await store().expireSilence(-1, DAY)).toBe(false);
    expect(await store().silence(second.id)).toStrictEqual({ ...second, expiredAt: DAY + 5 });
    expect(await store().silences({ endingAfter: DAY, limit: 9 })).toStrictEqual([first]);
    expect(await store().silence(-1)).toBeUndefined();
  });

  it('proves a write as often as it is asked', async () => {
    await store().proveWrite(DAY);
    await store().proveWrite(DAY + 1);
  });
}

function describeHeartbeatsAndAudit(store: () => Store): void {
  it('creates a heartbeat once, and keeps everything that is known of its pings', async () => {
    const keyHash = fresh('hash');
    const seen = await Promise.all([1, 2, 3].map((now) => store().heartbeat(keyHash, now)));
    expect(seen).toStrictEqual(seen.map(() => ({ keyHash, createdAt: 1 })));
    const full: Heartbeat = {
      keyHash,
      createdAt: 1,
      lastPingAt: DAY,
      lastKind: 'fail',
      lastStartAt: DAY - 1,
      lastSuccessAt: DAY - 2,
      durationMs: 1.5,
      exitCode: 0,
      body: ODD,
    };
    await store().saveHeartbeat(full);
    expect(await store().heartbeat(keyHash, 9)).toStrictEqual(full);
  });

  it('keeps the audit log, newest first', async () => {
    const entry = { at: DAY, actor: 'ann', action: 'freeze', subject: ODD, detail: '' };
    await store().addAudit(entry);
    await store().addAudit({ ...entry, action: 'unfreeze' });
    const [last, before] = await store().auditEntries({ limit: 2 });
    expect([last, before]).toMatchObject([{ ...entry, action: 'unfreeze' }, entry]);
    expect(await store().auditEntries({ limit: 1 })).toHaveLength(1);
  });

  it('finds the newest audit entry of an action on a subject', async () => {
    const entry = { at: DAY, actor: 'ann', action: 'arm', subject: 'restart', detail: '' };
    for (const at of [1, 2]) await store().addAudit({ ...entry, at });
    await store().addAudit({ ...entry, subject: 'another' });
    await store().addAudit({ ...entry, action: 'disarm' });
    expect(await store().lastAudit('arm', 'restart')).toMatchObject({ ...entry, at: 2 });
    expect(await store().lastAudit('arm', 'unheard-of')).toBeUndefined();
  });

  it('puts a replacement character where a text has NUL, which no database can hold', async () => {
    await store().addAudit({ at: DAY, actor: 'a\0b', action: 'note', subject: '\0', detail: 'after\0this' });
    const [entry] = await store().auditEntries({ limit: 1 });
    expect(entry).toMatchObject({ actor: 'a\uFFFDb', subject: '\uFFFD', detail: 'after\uFFFDthis' });
  });

  it('refuses a value that no column can hold, and goes on', async () => {
    const entry = { at: true as unknown as number, actor: '', action: '', subject: '', detail: '' };
    expect(await failureOf(store().addAudit(entry))).toMatchObject({ code: 'store_parameter' });
    await store().auditEntries({ limit: 1 });
  });
}

function describeTransactions(store: () => Store): void {
  it('keeps nothing of a transaction whose work throws, and rethrows what it threw', async () => {
    const kept = state();
    const boom = new Error('boom');
    const work = store().transaction(async (queries) => {
      await queries.saveProbeState(kept);
      await queries.insertIncident(incident({ subject: kept.probe }));
      throw boom;
    });
    expect(await failureOf(work)).toBe(boom);
    expect((await store().probeStates()).map(({ probe }) => probe)).not.toContain(kept.probe);
    expect(await store().incidents({ subject: kept.probe, limit: 1 })).toStrictEqual([]);
  });

  it('lets nobody else in between, and serves those who wait in their order', async () => {
    const order: string[] = [];
    const probe = fresh('probe');
    const transaction = store().transaction(async (queries) => {
      await queries.saveProbeState(state({ probe, since: 1 }));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await queries.probeStates()).find((one) => one.probe === probe)?.since).toBe(1);
      order.push('transaction');
    });
    const writes = [2, 3, 4].map(async (since) => {
      await store().saveProbeState(state({ probe, since }));
      order.push(`write ${since}`);
    });
    await Promise.all([transaction, ...writes]);
    expect(order).toStrictEqual(['transaction', 'write 2', 'write 3', 'write 4']);
    expect((await store().probeStates()).find((one) => one.probe === probe)?.since).toBe(4);
  });

  it('returns what the work returned, and refuses statements that come after its end', async () => {
    let late: Promise<unknown> | undefined;
    const returned = await store().transaction(async (queries) => {
      late = new Promise((resolve) => setTimeout(resolve, 30)).then(() => queries.probeStates());
      return 42;
    });
    expect(returned).toBe(42);
    await expect(late).rejects.toThrow(/transaction/i);
    await store().probeStates();
  });

  it('undoes a transaction that runs into a conflict', async () => {
    const opening = incident();
    await store().insertIncident(opening);
    const probe = fresh('probe');
    const work = store().transaction(async (queries) => {
      await queries.saveProbeState(state({ probe }));
      await queries.insertIncident(opening);
    });
    expect(await failureOf(work)).toMatchObject({ code: 'incident_open' });
    expect((await store().probeStates()).map((one) => one.probe)).not.toContain(probe);
  });
}
