/**
 * `npm run demo` as a person runs it, and its scenario with the daemon killed again and again: what the service and the fake
 * Slack wrote down by themselves must tell the same story as the daemon's store, and end in the same healed state.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBE } from '../../demo/definitions.ts';
import { FAULTS, type Fault, play, prepare, untilUp } from '../../demo/scenario.ts';
import { type Stage, setStage } from '../../demo/stage.ts';
import { type IncidentSeen, kindOf, type StepKind } from '../../demo/story.ts';
import { until } from '../estate/daemon.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe.concurrent('npm run demo', { timeout: 400_000 }, () => {
  it('heals three faults, tells how, and leaves nothing behind', async ({ onTestFinished }) => {
    const demo = await startDemo();
    onTestFinished(demo.end);
    expect(await demo.exited, demo.output()).toBe(0);
    const text = demo.output();
    for (const { title } of FAULTS) expect(text).toMatch(new RegExp(`^${title} .* healed$`, 'm'));
    for (const kind of ['noticed', 'down', 'held', 'fix', 'acted', 'healed', 'slack']) {
      expect(text).toMatch(new RegExp(`\\+\\d+\\.\\d s {2}${kind} `));
    }
    expect(text).not.toContain('\u001b');
    await leftNothing(demo);
  });

  it('cleans up after Ctrl-C in the middle of a fix', async ({ onTestFinished }) => {
    const demo = await startDemo();
    onTestFinished(demo.end);
    await until(() => demo.output().includes(' fix '), { withinMs: 60_000, what: 'a fix to start' });
    demo.child.kill('SIGINT');
    expect(await demo.exited, demo.output()).toBe(130);
    await leftNothing(demo);
  });
});

interface RunningDemo {
  readonly child: ChildProcess;
  /** Where it may put temporary files. */
  readonly folder: string;
  output(): string;
  readonly exited: Promise<number | null>;
  end(): Promise<void>;
}

async function startDemo(): Promise<RunningDemo> {
  const folder = await mkdtemp(join(tmpdir(), 'demo-test-'));
  const child = spawn(process.execPath, [join(ROOT, 'node_modules/jiti/lib/jiti-cli.mjs'), 'demo/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: folder, JITI_FS_CACHE: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return {
    ...{ child, folder, exited },
    output: () => text,
    async end() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** No process of it answers, and no file of it stays. */
async function leftNothing(demo: RunningDemo): Promise<void> {
  const addresses = [...demo.output().matchAll(/^ {3}\w+ +(http:\S+)/gm)].map(([, url = '']) => url);
  expect(addresses).toHaveLength(3);
  for (const url of addresses) await expect(fetch(url)).rejects.toThrow('fetch failed');
  expect(await readdir(demo.folder)).toEqual([]);
}

/** The daemon dies this long after a step of a fault has become known. */
interface Moment {
  readonly after: StepKind;
  readonly delayMs: number;
}

/** Numbers that look random and are the same at every run, from 0 to `below`. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** Between them every step of the story is a moment of death; the delays spread them over what lies between two steps. */
const RUNS: readonly (readonly StepKind[])[] = [
  ['broken', 'down', 'fix'],
  ['fix', 'acted', 'slack'],
  ['noticed', 'fix', 'held'],
  ['slack', 'healed', 'acted'],
];

describe.concurrent('the demo with its daemon killed by kill -9', { timeout: 400_000 }, () => {
  it.each(RUNS.map((steps, index) => ({ steps, seed: index + 1 })))(
    'after $steps: everything heals, no fix runs twice, no message is lost',
    async ({ steps, seed }) => {
      const random = sequence(seed);
      const stage = await setStage({ every: '1s', timeout: '1s', settle: '300ms' });
      try {
        await untilUp(stage);
        for (const [index, fault] of FAULTS.entries()) {
          await survive(stage, fault, { after: steps[index] ?? 'broken', delayMs: random(400) });
        }
        await agree(stage);
      } finally {
        await stage.close();
      }
    },
  );
});

async function survive(stage: Stage, fault: Fault, { after, delayMs }: Moment): Promise<void> {
  await prepare(stage, fault);
  let death: Promise<void> | undefined;
  const { healed } = await play(stage, fault, {
    patienceMs: 120_000,
    onStep({ kind }) {
      // Two failing runs may follow each other so fast that the first is not seen; the end always is.
      if (kind === after || kind === 'healed')
        death ??= new Promise<void>((wait) => setTimeout(wait, delayMs)).then(() => stage.crash());
    },
  });
  await death;
  expect(death, `a death after ${after}`).toBeDefined();
  expect(healed, `${fault.title}, with a death ${delayMs} ms after ${after}`).toBe(true);
  await untilUp(stage);
}

/** The service's own record, Slack's journal and the daemon's store, read after everything is over. */
async function agree(stage: Stage): Promise<void> {
  const incidents = await settledIncidents(stage);
  expect(incidents.map(({ resolution }) => resolution)).toEqual(FAULTS.map(() => 'recovered'));
  expect((await fetch(stage.service.url)).status).toBe(200);
  await everyFixRanOnce(stage, incidents);
  for (const [index, incident] of incidents.entries()) everyMessageArrived(stage, incident, FAULTS[index]);
}

/** Oldest first, once nothing is left to send. */
async function settledIncidents(stage: Stage): Promise<readonly IncidentSeen[]> {
  const { incidents } = await stage.daemon().api<{ incidents: IncidentSeen[] }>(`incidents?subject=${PROBE}`);
  return until(
    async () => {
      const stories = await Promise.all(incidents.map(({ id }) => stage.daemon().api<IncidentSeen>(`incidents/${id}`)));
      const settled = stories.every(({ notifications }) => notifications.every(({ state }) => state === 'sent'));
      return settled && stories.reverse();
    },
    { what: 'every notification to be sent' },
  );
}

/** A fix runs again only as another attempt, and only after the one before was proven not to have healed. */
async function everyFixRanOnce(stage: Stage, incidents: readonly IncidentSeen[]): Promise<void> {
  const ran = (await stage.service.oracle()).filter(({ what }) => what === 'fix').map(({ attempt }) => attempt ?? 0);
  expect(new Set(ran).size, `attempts that ran: ${ran}`).toBe(ran.length);
  for (const { attempts } of incidents) {
    const [last, ...before] = attempts.filter(({ id }) => ran.includes(id)).sort((one, other) => other.id - one.id);
    expect(last?.state).toBe('healed');
    for (const { state } of before) expect(['failed', 'unknown']).toContain(state);
  }
}

/** Each outbox row is in Slack's journal under its event id, nothing else is, and each incident has one beginning and one end. */
function everyMessageArrived({ slack }: Stage, { id, notifications }: IncidentSeen, fault: Fault | undefined): void {
  const calls = slack.calls().filter(({ arguments: { metadata } }) => metadata?.event_payload.incident_id === id);
  const heard = new Set(calls.map(({ arguments: { metadata } }) => metadata?.event_payload.event_id));
  expect([...heard].sort()).toEqual(notifications.map(({ event_id }) => event_id).sort());
  const kinds = new Set(calls.map(kindOf));
  if (fault?.pageAfter === '0s') {
    expect([...kinds]).toEqual(expect.arrayContaining(['opened', 'resolved']));
    expect(notifications.filter(({ kind }) => kind === 'opened')).toHaveLength(1);
    expect(notifications.filter(({ kind }) => kind === 'resolved')).toHaveLength(1);
  } else {
    expect([...kinds]).toEqual(['healed_itself']);
  }
}
