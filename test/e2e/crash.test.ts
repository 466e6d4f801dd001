/**
 * kill -9 between any two steps of the straight line. What the service, its fix and the fake Slack wrote down by themselves is
 * compared with what the daemon's store says after the next start.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINT_CONSENT, FAILPOINT_VARIABLE } from '../../src/failpoint.ts';
import type { Store } from '../../src/ports.ts';
import { isAlive, readProcess } from '../../src/shared/process-table.ts';
import { type Daemon, until } from '../estate/daemon.ts';
import type { SlackCall } from '../estate/fake-slack.ts';
import { BRAINSTEM_YML, definitionsOf, type Stage, setStage } from '../estate/stage.ts';
import { STORES, type StoreKind } from '../estate/stores.ts';
import { fileOf } from '../store/sqlite.ts';

let stage: Stage;
/** Where the daemon of the test keeps its store. */
let kind: StoreKind;
let variables: Readonly<Record<string, string>> = {};

afterEach(() => stage.close());
afterAll(() => Promise.all(STORES.map((store) => store.stop())));

/** Two cores that may be busy with something else. */
const UP = { withinMs: 60_000 };

/** A busy machine makes the daemon tell of itself that it stood still: that is not what is counted here. */
const ROUTES = '\nroutes: [{ match: { source: [probe] }, notify: [oncall] }]\n';

async function setUp(more?: string, fix?: string): Promise<void> {
  stage = await setStage(more, fix);
  const { settings, environment } = await kind.prepare();
  variables = environment;
  await stage.home.write({ 'brainstem.yml': BRAINSTEM_YML + ROUTES + settings });
}

function start(options: Parameters<Stage['start']>[0] = {}): Promise<Daemon> {
  return stage.start({ ...options, environment: { ...variables, ...options.environment } });
}

/** Makes the daemon kill itself at a named place. */
function armed(failpoints: string): { readonly environment: Readonly<Record<string, string>> } {
  return { environment: { [FAILPOINT_VARIABLE]: failpoints, [FAILPOINT_CONSENT.name]: FAILPOINT_CONSENT.value } };
}

/** The service was seen up by a daemon that has stopped since, and is broken now. */
async function brokenUnwatched(how: 'kill' | '500' = 'kill'): Promise<void> {
  const daemon = await start();
  await seen(daemon, 'up');
  expect(await daemon.stop()).toBe(0);
  await stage.service.break(how);
}

/** Starts the daemon so that it dies at a failpoint, and waits for that. */
async function dieAt(failpoints: string): Promise<void> {
  const daemon = await start({ ...armed(failpoints), ready: false });
  expect(await daemon.exited, daemon.output()).toBeNull();
}

function seen(daemon: Daemon, state: string): Promise<unknown> {
  const stateNow = async () => (await daemon.api<{ state: string }>('probes/service')).state;
  return until(async () => (await stateNow()) === state, { ...UP, what: `the service to be seen ${state}` });
}

interface Story {
  readonly healed_by?: string;
  readonly exhausted: boolean;
  readonly resolved_at?: string;
  readonly attempts: readonly { readonly id: number; readonly state: string; readonly refusal?: string }[];
  readonly timeline: readonly { readonly kind: string }[];
  readonly notifications: readonly { readonly state: string }[];
}

/** The one incident that the service ever had. */
async function incident(daemon: Daemon): Promise<Story> {
  const { incidents } = await daemon.api<{ incidents: { id: number }[] }>('incidents?subject=service');
  expect(incidents).toHaveLength(1);
  return daemon.api<Story>(`incidents/${incidents[0]?.id}`);
}

async function fixes(): Promise<readonly (number | undefined)[]> {
  return (await stage.service.oracle()).filter(({ what }) => what === 'fix').map(({ attempt }) => attempt);
}

const kindOf = ({ arguments: { metadata } }: SlackCall) => metadata?.event_payload.kind;
/** Event ids of all messages of a kind, in order of arrival; updates of messages aside. */
const heard = (kind: string) =>
  stage.slack
    .calls()
    .filter((call) => call.method === 'chat.postMessage' && kindOf(call) === kind)
    .map(({ arguments: { metadata } }) => metadata?.event_payload.event_id);

/** From a start that nothing disturbs: the service is up, Slack knows, and one incident tells how. */
async function healedInPeace(): Promise<Story> {
  const daemon = await start();
  await until(() => heard('resolved').length > 0, { ...UP, what: 'Slack to hear that it is over' });
  expect((await fetch(stage.service.url)).status).toBe(200);
  const story = await until(
    async () => {
      const now = await incident(daemon);
      return now.attempts.every(({ state }) => OVER.has(state)) && now;
    },
    { ...UP, what: 'every attempt to be over' },
  );
  expect(story.resolved_at).toBeDefined();
  expect(new Set(heard('opened')).size).toBe(1);
  expect(new Set(heard('resolved')).size).toBe(1);
  expect(await daemon.stop()).toBe(0);
  return story as Story;
}

const OVER = new Set(['healed', 'failed', 'unknown', 'refused']);
/** How the attempts ended, oldest first; a cooldown between two of them says nothing here. */
const states = ({ attempts }: Story) =>
  [...attempts]
    .reverse()
    .map(({ state, refusal }) => (refusal === undefined ? state : `${state} ${refusal}`))
    .filter((state) => state !== 'refused cooldown');

/** What is in the store while no daemon holds it. */
async function stored<T>(look: (store: Store) => Promise<T>): Promise<T> {
  const store = await kind.open(stage.home);
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

/** The stage's remediation with other times. */
async function verifyWithin(time: string, fix = ''): Promise<void> {
  const file = 'remediations/service.yaml';
  const text = definitionsOf(stage.service, '', fix)[file] ?? '';
  await stage.home.write({ [file]: text.replace('verify_within: 10s', `verify_within: ${time}`) });
}

describe.each(STORES)('kill -9 on $name', { timeout: 240_000 }, (store) => {
  beforeEach(() => {
    kind = store;
  });

  it('when a probe has run but nothing is stored: it is probed again, and no half row stays', async () => {
    await setUp();
    await brokenUnwatched();
    // The second failure would have confirmed DOWN.
    await dieAt('observed=kill@2');
    expect(heard('opened')).toEqual([]);
    const before = await stored(async (store) => ({
      incidents: await store.incidents({ limit: 10 }),
      states: (await store.probeStates()).map(({ state }) => state),
      results: await store.results({ probe: 'service', from: 0, to: Date.now(), limit: 10_000 }),
    }));
    expect(before).toMatchObject({ incidents: [], states: ['up'] });
    for (const { reason, verdict } of before.results) {
      expect(['ok pass', 'connect_refused fail']).toContain(`${reason} ${verdict}`);
    }
    expect(states(await healedInPeace())).toEqual(['healed']);
    expect(await fixes()).toHaveLength(1);
    const results = await stored((store) =>
      store.results({ probe: 'service', from: 0, to: Date.now(), limit: 10_000 }),
    );
    expect(results.length).toBeGreaterThan(before.results.length);
    expect(new Set(results.map(({ at }) => at)).size).toBe(results.length);
  });

  it('inside a change of state: nothing of it is there, then all of it happens', async () => {
    await setUp();
    await brokenUnwatched();
    await dieAt('transition_open=kill');
    expect(heard('opened')).toEqual([]);
    const half = await stored(async (store) => ({
      states: (await store.probeStates()).map(({ state }) => state),
      transitions: (await store.transitions({ limit: 10 })).map(({ to }) => to),
      incidents: await store.incidents({ limit: 10 }),
      notifications: await store.notifications({ limit: 10 }),
    }));
    expect(half).toEqual({ states: ['up'], transitions: ['up'], incidents: [], notifications: [] });
    expect(states(await healedInPeace())).toEqual(['healed']);
    expect(await fixes()).toHaveLength(1);
    expect(heard('opened')).toHaveLength(1);
  });

  it('after a change of state: all of it is there, and its alert is sent by the next start', async () => {
    await setUp();
    await brokenUnwatched();
    // The first commit of the desk is the one that opens the incident.
    await dieAt('transition_committed=kill');
    expect(heard('opened')).toEqual([]);
    const whole = await stored(async (store) => ({
      states: (await store.probeStates()).map(({ state }) => state),
      incidents: (await store.openIncidents()).map(({ subject }) => subject),
      notifications: (await store.notifications({ limit: 10 })).map(({ alert, state }) => `${alert.kind} ${state}`),
    }));
    expect(whole).toEqual({ states: ['down'], incidents: ['service'], notifications: ['opened pending'] });
    await healedInPeace();
    expect(heard('opened')).toHaveLength(1);
    expect(await fixes()).toHaveLength(1);
  });

  it('before an alert is sent: it is sent after the restart, once', async () => {
    await setUp();
    await brokenUnwatched();
    await dieAt('before_send=kill');
    expect(stage.slack.calls()).toEqual([]);
    await healedInPeace();
    expect(heard('opened')).toHaveLength(1);
    expect(await fixes()).toHaveLength(1);
  });

  it('after the channel took an alert, before that is on record: at most one duplicate, with the same event id', async () => {
    await setUp();
    await brokenUnwatched();
    await dieAt('after_send=kill');
    const [first] = heard('opened');
    expect(heard('opened')).toHaveLength(1);
    await healedInPeace();
    expect(heard('opened').length).toBeLessThanOrEqual(2);
    expect(new Set(heard('opened'))).toEqual(new Set([first]));
  });

  it.each(['attempt_intended', 'attempt_running'])(
    'between the intent and the act (%s): the fix runs exactly once',
    async (place) => {
      await setUp();
      await brokenUnwatched();
      await dieAt(`${place}=kill`);
      expect(await fixes()).toEqual([]);
      const story = await healedInPeace();
      expect(states(story)).toEqual(['refused stopping', 'healed']);
      expect(await fixes()).toEqual([story.attempts[0]?.id]);
    },
  );

  it('while the child waits at its gate: it never runs, and as that cannot be told, the fix is not repeated', async () => {
    await setUp();
    await verifyWithin('2s');
    await brokenUnwatched();
    await dieAt('child_gated=kill');
    const daemon = await start();
    await until(() => heard('escalated').length > 0, { ...UP, what: 'people to hear that healing gave up' });
    expect(states(await incident(daemon))).toEqual(['unknown']);
    expect(await fixes()).toEqual([]);
  });

  it('while the fix runs: it is ended, not run again, and people are told', async () => {
    await setUp();
    await verifyWithin('2s');
    const child = await dieWhileTheFixRuns();
    const daemon = await start();
    await until(() => !isRunning(child), { ...UP, what: 'the orphan to be ended' });
    await until(() => heard('escalated').length > 0, { ...UP, what: 'people to hear that healing gave up' });
    const story = await incident(daemon);
    expect(states(story)).toEqual(['unknown']);
    expect(story).toMatchObject({ exhausted: true });
    expect(story.timeline.map(({ kind }) => kind)).toContain('orphan_ended');
    expect(await fixes()).toHaveLength(1);
    expect((await stage.service.oracle()).filter(({ what }) => what === 'fix_ended')).toEqual([]);
  });

  it('while an idempotent fix runs: it is ended, and runs again as an attempt of its own', async () => {
    await setUp();
    await verifyWithin('2s', '    idempotent: true');
    const child = await dieWhileTheFixRuns();
    const story = await healedInPeace();
    expect(isRunning(child)).toBe(false);
    expect(states(story)).toEqual(['unknown', 'healed']);
    const ran = story.attempts.filter(({ state }) => state !== 'refused').map(({ id }) => id);
    expect(await fixes()).toEqual(ran.reverse());
  });

  it.each(['act_done', 'attempt_verifying'])('after the act (%s): it is verified, and not run again', async (place) => {
    await setUp();
    await brokenUnwatched();
    await dieAt(`${place}=kill`);
    expect(await fixes()).toHaveLength(1);
    const story = await healedInPeace();
    expect(states(story)).toEqual(['healed']);
    expect(story).toMatchObject({ healed_by: 'restart-service' });
    expect(await fixes()).toHaveLength(1);
  });

  it('again and again while the service is down: people hear of it once', async () => {
    await setUp('', '    mode: "off"');
    await brokenUnwatched();
    const first = await start();
    await allSent(first);
    await first.kill();
    for (let kills = 0; kills < 3; kills += 1) {
      const daemon = await start();
      await failedAgain(daemon);
      await allSent(daemon);
      await daemon.kill();
    }
    const last = await start();
    await failedAgain(last);
    expect(await last.stop()).toBe(0);
    expect(stage.slack.messages()).toHaveLength(1);
    expect(heard('opened')).toHaveLength(1);
    expect(heard('reopened')).toEqual([]);
  });

  it.runIf(store.name === 'SQLite')(
    'while the next daemon starts already: that one waits until the file is free',
    async () => {
      await setUp();
      const dying = await start();
      // As the kernel does with one whose end takes long: it holds the file, and does nothing.
      dying.signal('SIGSTOP');
      const next = await start({ ready: false });
      await until(() => hasOpen(next.pid, fileOf(stage.home.path)), {
        ...UP,
        what: 'the next daemon to open the file',
      });
      await sleep(800);
      await dying.kill();
      await until(async () => (await next.fetch('/-/ready')).status === 200, {
        ...UP,
        what: 'the next daemon to be ready',
      });
      await seen(next, 'up');
    },
  );

  it('while a page is held: the hold ends when it would have ended', async () => {
    await setUp('    page_after: 10s');
    await verifyWithin('1h', '    idempotent: true');
    await brokenUnwatched();
    await stage.service.nextFix('idles');
    const first = await start();
    const held = await until(async () => (await first.api<Held>('status')).incidents.find(isHeld), {
      ...UP,
      what: 'an incident whose page is held',
    });
    await first.kill();
    expect(heard('opened')).toEqual([]);
    await start();
    const [call] = await until(() => stage.slack.calls().length > 0 && stage.slack.calls(), {
      ...UP,
      what: 'the page',
    });
    expect(heard('opened')).toHaveLength(1);
    expect(call?.at).toBeGreaterThanOrEqual(Date.parse(held.hold_until ?? ''));
  });
});

interface Held {
  readonly incidents: readonly { readonly hold_until?: string }[];
}

const isHeld = ({ hold_until }: Held['incidents'][number]) => hold_until !== undefined;

/** Everything that is to be said so far is said, and that is on record. */
async function allSent(daemon: Daemon): Promise<void> {
  const sent = async () => (await incident(daemon)).notifications.every(({ state }) => state === 'sent');
  await until(async () => heard('opened').length > 0 && sent(), { ...UP, what: 'everything to be said' });
}

/** The probe has run, and failed, in this process. */
async function failedAgain(daemon: Daemon): Promise<void> {
  const verdict = async () => (await daemon.api<{ verdict?: string }>('probes/service')).verdict;
  await until(async () => (await verdict()) === 'fail', { ...UP, what: 'a run that fails' });
}

/** Returns the process id of the fix. */
async function dieWhileTheFixRuns(): Promise<number> {
  await brokenUnwatched();
  await stage.service.nextFix('lasts 60000');
  const daemon = await start();
  const fix = await until(async () => (await stage.service.oracle()).find(({ what }) => what === 'fix'), {
    ...UP,
    what: 'the fix to run',
  });
  await daemon.kill();
  expect(isRunning(fix.pid)).toBe(true);
  return fix.pid;
}

describe('only the probe decides', { timeout: 240_000 }, () => {
  beforeEach(() => {
    kind = STORES[0];
  });

  it('exit code 0 while the probe still fails is a failure; a spent limit disarms the fix and tells people', async () => {
    await setUp();
    const { folder } = stage.service;
    const note = `require('node:fs').appendFileSync('${folder}/oracle.jsonl', JSON.stringify({ at: Date.now(), what: 'fix' }) + '\\n')`;
    const definitions = definitionsOf(stage.service);
    await stage.home.write({
      'probes/service.yaml': (definitions['probes/service.yaml'] ?? '').replace(
        'try: [restart-service]',
        'try: [{ name: pretend, tries: 5 }]',
      ),
      'remediations/service.yaml': `
remediations:
  - name: pretend
    exec: { argv: ${JSON.stringify([process.execPath, '-e', note])} }
    timeout: 10s
    settle: 0s
    verify_within: 1s
    cooldown: 100ms
    limit: 2 in 1h
`,
    });
    await brokenUnwatched();
    const daemon = await start();
    await until(() => heard('escalated').length > 0, { ...UP, what: 'people to hear that healing gave up' });
    const story = await incident(daemon);
    expect(states(story).slice(0, 3)).toEqual(['failed', 'failed', 'refused limit']);
    expect(await fixes()).toHaveLength(2);
    const { remediations } = await until(
      async () => {
        const found = await daemon.api<{ remediations: { disarmed?: object }[] }>('remediations');
        return found.remediations[0]?.disarmed && found;
      },
      { ...UP, what: 'the fix to be disarmed' },
    );
    expect(remediations).toMatchObject([{ name: 'pretend' }]);
    await daemon.kill();
    const again = await start();
    await until(async () => states(await incident(again)).includes('refused disarmed'), {
      ...UP,
      what: 'the fix to be refused after a restart too',
    });
    expect(await fixes()).toHaveLength(2);
    expect(heard('escalated')).toHaveLength(1);
  });

  it('a service that recovers between the intent and the act is left alone', async () => {
    await setUp();
    const mend = ['/bin/sh', '-c', `printf ok > ${stage.service.folder}/mode`];
    // Evidence is gathered after the intent and before the last look.
    const evidence = `    evidence: [{ exec: { argv: ${JSON.stringify(mend)}, read_only: true } }]`;
    await verifyWithin('10s', evidence);
    await brokenUnwatched('500');
    const story = await healedInPeace();
    expect(states(story)).toEqual(['refused recovered']);
    expect(story.healed_by).toBeUndefined();
    expect(await fixes()).toEqual([]);
  });
});

describe('failpoints', { timeout: 240_000 }, () => {
  beforeEach(() => {
    kind = STORES[0];
  });

  it('do nothing without consent', async () => {
    await setUp();
    const daemon = await start({ environment: { [FAILPOINT_VARIABLE]: 'observed=kill,transition_open=kill' } });
    await seen(daemon, 'up');
    const results = async () => (await daemon.api<{ results: unknown[] }>('probes/service/history')).results.length;
    await until(async () => (await results()) >= 3, { ...UP, what: 'some runs' });
    expect(await daemon.stop()).toBe(0);
  });

  it('do nothing when the consent is not word for word', async () => {
    await setUp();
    const daemon = await start({
      environment: { [FAILPOINT_VARIABLE]: 'observed=kill', [FAILPOINT_CONSENT.name]: 'true' },
    });
    await seen(daemon, 'up');
    expect(await daemon.stop()).toBe(0);
  });
});

function hasOpen(pid: number, file: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === file);
}

function isRunning(pid: number): boolean {
  const entry = readProcess(pid);
  return entry !== undefined && isAlive(entry);
}
