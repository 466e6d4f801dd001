import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { brainstem } from '../estate/program.ts';
import {
  incidentsOf,
  metricOf,
  pass,
  type Scene,
  type SeenStory,
  setScene,
  storyKinds,
  untilIncident,
  untilState,
} from '../estate/scene.ts';

const SHORT = 'verify_within: 1500ms';

let slack: FakeSlack;
let scene: Scene;
let daemon: Daemon;

const ladder = (...rungs: readonly string[]) => `remediate: [{ try: [${rungs.join(', ')}] }]`;
const command = (...argv: readonly string[]) => brainstem([...argv, '--url', daemon.url]);
const fixesOf = (target: string) =>
  scene.targets
    .fixes()
    .filter((run) => run.target === target)
    .map((run) => run.fix);
const refusals = ({ attempts }: SeenStory) => attempts.flatMap(({ refusal }) => refusal ?? []);
const isOver = ({ resolved_at }: SeenStory) => resolved_at !== undefined;

async function breakTarget(name: string): Promise<void> {
  await untilState(daemon, name, 'up');
  scene.targets.set(name, 'broken');
}

beforeAll(async () => {
  slack = await startFakeSlack();
  scene = await setScene((targets) => ({
    'brainstem.yml': `  talk: { burst: 1000, slack: { token: "\${SLACK_TOKEN}", channel: ops, api_url: "${slack.url}" } }
routes: [{ match: { probe: relapsing }, notify: [talk] }, { notify: [bus] }]
healing: { budget: 1000 in 10m }
alerts: { flapping: 4 in 10m }
`,
    'probes/all.yaml': probesFile(
      probe(targets, 'laddered', [ladder('idle-laddered', 'failing-laddered', 'mend-laddered'), 'severity: critical']),
      probe(targets, 'hopeless', [ladder('idle-hopeless', 'failing-hopeless')]),
      probe(targets, 'patient', [ladder('idle-patient'), 'page_after: 2s']),
      probe(targets, 'held', [ladder('idle-held'), 'page_after: 10m']),
      probe(targets, 'asking', [ladder('ask-asking'), 'page_after: 10m']),
      probe(targets, 'watched', [ladder('observe-watched'), 'page_after: 10m']),
      probe(targets, 'limited', [ladder('{ name: limited-limited, tries: 9 }'), 'page_after: 10m']),
      probe(targets, 'answered', [ladder('slow-answered', 'mend-answered')]),
      probe(targets, 'relapsing', [ladder('first-relapsing', 'second-relapsing'), 'relapse: 10m']),
      probe(targets, 'worsening', ['severity: critical', `warn: ['json.status != "degraded"']`]),
    ),
    'remediations/all.yaml': remediationsFile(
      fix(targets, 'idle-laddered', 'laddered', 'nothing', [SHORT]),
      fix(targets, 'failing-laddered', 'laddered', 'nothing', [
        `exec: { argv: [${JSON.stringify(process.execPath)}, "-e", "process.exit(3)"] }`,
      ]),
      fix(targets, 'mend-laddered', 'laddered', 'mends'),
      fix(targets, 'idle-hopeless', 'hopeless', 'nothing', [SHORT]),
      fix(targets, 'failing-hopeless', 'hopeless', 'nothing', [
        `exec: { argv: [${JSON.stringify(process.execPath)}, "-e", "process.exit(3)"] }`,
      ]),
      fix(targets, 'idle-patient', 'patient', 'nothing', ['verify_within: 8s']),
      fix(targets, 'idle-held', 'held', 'nothing', [SHORT]),
      fix(targets, 'ask-asking', 'asking', 'mends', ['mode: approve']),
      fix(targets, 'observe-watched', 'watched', 'mends', ['mode: observe']),
      fix(targets, 'limited-limited', 'limited', 'nothing', [SHORT, 'limit: 2 in 1h']),
      fix(targets, 'slow-answered', 'answered', 'nothing', ['verify_within: 4s']),
      fix(targets, 'mend-answered', 'answered', 'mends'),
      fix(targets, 'first-relapsing', 'relapsing', 'mends'),
      fix(targets, 'second-relapsing', 'relapsing', 'mends'),
    ),
  }));
  daemon = await scene.start({ environment: { SLACK_TOKEN: ['xoxb', 'healing'].join('-') } });
});

afterAll(async () => {
  await scene.close();
  await slack.close();
});

describe.concurrent('a ladder', () => {
  it('goes on to the next rung when a fix does not bring the probe up, or fails itself', async () => {
    await breakTarget('laddered');
    const story = await untilIncident(daemon, 'laddered', 'healed', isOver);
    expect(story.healed_by).toBe('mend-laddered');
    expect(story.attempts.map(({ remediation, state }) => [remediation, state]).reverse()).toEqual([
      ['idle-laddered', 'failed'],
      ['failing-laddered', 'failed'],
      ['mend-laddered', 'healed'],
    ]);
    expect(fixesOf('laddered')).toEqual(['idle-laddered', 'mend-laddered']);
  });

  it('escalates with everything that was tried when no rung is left, and tries nothing more', async () => {
    await breakTarget('hopeless');
    await untilIncident(daemon, 'hopeless', 'exhausted', ({ exhausted }) => exhausted);
    const last = await until(() => scene.alerts.of('hopeless').find(({ kind }) => kind === 'escalated'), {
      what: 'the escalation',
    });
    expect(scene.alerts.kinds('hopeless')[0]).toBe('opened');
    const tried = last.facts.find(({ label }) => label === 'Tried')?.value;
    expect(tried).toMatch(/idle-hopeless failed.*; failing-hopeless failed/);
    await pass(2_000);
    expect(fixesOf('hopeless')).toEqual(['idle-hopeless']);
  });
});

describe.concurrent('the page', () => {
  it('is held for a fix no longer than page_after, while the fix is still being verified', async () => {
    await breakTarget('patient');
    const { hold_until: until_ } = await untilIncident(
      daemon,
      'patient',
      'held',
      ({ hold_until }) => hold_until !== undefined,
    );
    await until(() => scene.alerts.kinds('patient').length > 0, { what: 'the page' });
    const [page] = scene.alerts.of('patient');
    expect(page?.kind).toBe('opened');
    expect(Date.parse(page?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(until_ ?? ''));
    const [incident] = await incidentsOf(daemon, 'patient');
    const { attempts } = await daemon.api<SeenStory>(`incidents/${incident?.id}`);
    expect(attempts.map(({ state }) => state)).toEqual(['verifying']);
    scene.targets.set('patient', 'ok');
    await until(() => scene.alerts.kinds('patient').includes('resolved'), { what: 'the resolved message' });
  });

  it('goes out as soon as the ladder is exhausted', async () => {
    await breakTarget('held');
    const page = await until(() => scene.alerts.of('held')[0], { what: 'the page' });
    expect(page.kind).toBe('opened');
    expect(page.facts.find(({ label }) => label === 'Tried')?.value).toContain('idle-held failed');
    expect(fixesOf('held')).toEqual(['idle-held']);
  });

  it('is not held where a person must approve the fix, who may then run it', async () => {
    await breakTarget('asking');
    await until(() => scene.alerts.kinds('asking').length > 0, { what: 'the page' });
    const story = await untilIncident(daemon, 'asking', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story)).toEqual(['awaiting_approval']);
    expect(fixesOf('asking')).toEqual([]);
    const dry = await command('remediate', 'ask-asking', '--probe', 'asking', '--dry-run');
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining('may run now') });
    expect(fixesOf('asking')).toEqual([]);
    expect((await command('remediate', 'ask-asking', '--probe', 'asking')).code).toBe(0);
    const healed = await untilIncident(daemon, 'asking', 'healed', isOver);
    expect(healed.healed_by).toBe('ask-asking');
    expect(fixesOf('asking')).toEqual(['ask-asking']);
  });

  it('is not held where a fix only observes, which says what it would have done', async () => {
    await breakTarget('watched');
    await until(() => scene.alerts.kinds('watched').length > 0, { what: 'the page' });
    const story = await untilIncident(daemon, 'watched', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story)).toEqual(['observe']);
    expect(story.timeline.find(({ kind }) => kind === 'refused')?.text).toContain('would run observe-watched');
    expect(
      await metricOf(daemon, 'brainstem_remediation_refusals_total{remediation="observe-watched",reason="observe"}'),
    ).toBe(1);
    await pass(1_500);
    expect(fixesOf('watched')).toEqual([]);
    expect(scene.alerts.kinds('watched')).toEqual(['opened']);
  });
});

describe.concurrent('a limit', () => {
  it('disarms the fix when it is spent, pages, and lets a person arm it again', async () => {
    await breakTarget('limited');
    const page = await until(() => scene.alerts.of('limited')[0], { what: 'the page' });
    expect(page.kind).toBe('opened');
    const story = await untilIncident(daemon, 'limited', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story).at(-1)).toBe('limit');
    await until(async () => (await command('status')).out.includes('limited-limited has disarmed itself'), {
      what: 'the disarmed fix to be shown',
    });
    expect(fixesOf('limited')).toHaveLength(2);
    await pass(1_500);
    expect(fixesOf('limited')).toHaveLength(2);
    expect(await command('arm', 'limited-limited')).toMatchObject({ code: 0, out: 'limited-limited is armed again\n' });
    await until(() => fixesOf('limited').length > 2, { what: 'another try' });
    expect(await command('arm', 'no-such-fix')).toMatchObject({ code: 1 });
  });
});

describe.concurrent('an acknowledgement', () => {
  it('stops automatic fixes until the incident is resolved, but not the resolved message', async () => {
    await breakTarget('answered');
    const { id } = await untilIncident(daemon, 'answered', 'being healed', ({ attempts }) => attempts.length > 0);
    await until(() => fixesOf('answered').length > 0, { what: 'the fix to act' });
    expect(await command('incidents', 'ack', String(id))).toMatchObject({ code: 0 });
    const story = await untilIncident(daemon, 'answered', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story)).toEqual(['acknowledged']);
    await pass(1_500);
    expect(fixesOf('answered')).toEqual(['slow-answered']);
    scene.targets.set('answered', 'ok');
    await until(() => scene.alerts.kinds('answered').includes('resolved'), { what: 'the resolved message' });
  });
});

describe.concurrent('a relapse', () => {
  it('reopens the same incident, in the same Slack thread, and goes on at the next rung', async () => {
    await breakTarget('relapsing');
    const first = await untilIncident(daemon, 'relapsing', 'healed', isOver);
    expect(first.healed_by).toBe('first-relapsing');
    await breakTarget('relapsing');
    const second = await untilIncident(
      daemon,
      'relapsing',
      'healed again',
      (each) => isOver(each) && each.reopened > 0,
    );
    expect(second).toMatchObject({ id: first.id, reopened: 1, healed_by: 'second-relapsing' });
    expect(await incidentsOf(daemon, 'relapsing')).toHaveLength(1);
    expect(fixesOf('relapsing')).toEqual(['first-relapsing', 'second-relapsing']);
    expect(storyKinds(second).filter((kind) => /opened|resolved/.test(kind))).toEqual([
      'opened',
      'resolved',
      'reopened',
      'resolved',
    ]);
    const replies = (ts: string) => slack.thread(ts).map(({ arguments: { metadata } }) => metadata?.event_payload.kind);
    const resolved = () => replies(slack.messages()[0]?.ts ?? '').filter((kind) => kind === 'resolved');
    await until(() => resolved().length === 2, { what: 'both resolved replies in one thread' });
    expect(slack.messages()).toHaveLength(1);
    expect(replies(slack.messages()[0]?.ts ?? '')).toContain('reopened');
  });
});

describe.concurrent('severity', () => {
  it('rises with the same incident from degraded to down, and falls back without closing it', async () => {
    const { targets, alerts } = scene;
    await untilState(daemon, 'worsening', 'up');
    targets.set('worsening', 'degraded');
    const opened = await untilIncident(daemon, 'worsening', 'open');
    expect(opened).toMatchObject({ severity: 'warning', degraded: true });
    targets.set('worsening', 'broken');
    const raised = await untilIncident(daemon, 'worsening', 'raised', ({ degraded }) => !degraded);
    expect(raised).toMatchObject({ id: opened.id, severity: 'critical' });
    targets.set('worsening', 'degraded');
    const lowered = await untilIncident(daemon, 'worsening', 'lowered', ({ degraded }) => degraded);
    expect(lowered).toMatchObject({ id: opened.id, severity: 'warning' });
    expect(isOver(lowered)).toBe(false);
    targets.set('worsening', 'ok');
    await until(() => alerts.kinds('worsening').includes('resolved'), { what: 'the resolved message' });
    expect(alerts.kinds('worsening')).toEqual(['opened', 'escalated', 'progress', 'resolved']);
    expect(
      alerts
        .of('worsening')
        .map(({ severity }) => severity)
        .slice(0, 3),
    ).toEqual(['warning', 'critical', 'warning']);
  });
});
