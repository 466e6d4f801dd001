import { open, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { brainstem } from '../estate/program.ts';
import {
  incidentsOf,
  metricOf,
  pass,
  probeOf,
  type Scene,
  setScene,
  storyKinds,
  untilIncident,
  untilState,
} from '../estate/scene.ts';
import type { Targets } from '../estate/targets.ts';

interface Config {
  readonly ok: boolean;
  readonly probes: number;
  readonly revision: string;
  readonly problems: readonly { file: string; line: number; column: number; message: string }[];
}

const probeFile = (targets: Targets, name: string, more = '', target = name) => `probes:
  - name: ${name}
    http: { url: "${targets.url(target)}" }
    every: 500ms
    timeout: 500ms
    retry_every: 200ms
    fail_after: 2
    recover_after: 2
${more}`;

let scene: Scene;
let daemon: Daemon;

const config = () => daemon.api<Config>('config');
const reload = () => daemon.fetch('/-/reload', { method: 'POST' });
const succeeded = () => metricOf(daemon, 'brainstem_config_last_reload_successful');
/** Saves a file and waits until it is what runs. */
async function save(file: string, text: string): Promise<void> {
  await scene.home.write({ [file]: text });
  expect((await reload()).status).toBe(200);
}

beforeAll(async () => {
  scene = await setScene((targets) => ({
    // A crowded machine may be slow to answer, which is not what these tests are about.
    'probes/steady.yaml': probeFile(targets, 'steady')
      .replaceAll('500ms', '1s')
      .replace('fail_after: 2', 'fail_after: 20'),
  }));
  daemon = await scene.start({ environment: { URL_FILE: join(scene.home.path, 'address') } });
  await untilState(daemon, 'steady', 'up');
});

afterAll(() => scene.close());

describe('a saved file', () => {
  it('is probed at once', async () => {
    const { targets, home } = scene;
    const savedAt = Date.now();
    await home.write({ 'probes/fresh.yaml': probeFile(targets, 'fresh') });
    const firstAt = await until(() => targets.requests('fresh')[0], { what: 'the first probe of the new file' });
    console.log(`first probe ${firstAt - savedAt} ms after the save`);
    expect(firstAt - savedAt).toBeLessThan(3_000);
    await untilState(daemon, 'fresh', 'up');
  });

  it('with a typo is refused with line, column and the right name, and what runs stays whole', async () => {
    const { targets, home } = scene;
    const before = await config();
    await home.write({ 'probes/typo.yaml': probeFile(targets, 'typo', '    recovr_after: 2\n') });
    const broken = await until(async () => (await config()).ok === false && config(), { what: 'the refusal' });
    expect(broken).toMatchObject({ revision: before.revision, probes: before.probes });
    expect(broken.problems).toHaveLength(1);
    const [problem] = broken.problems;
    expect(problem).toMatchObject({ file: 'probes/typo.yaml', line: 9, column: 5 });
    expect(problem?.message).toMatch(/recovr_after.*recover_after/);

    const line = `probes/typo.yaml:9:5: ${problem?.message}`;
    expect(daemon.log).toContainEqual(expect.objectContaining({ event: 'configuration_invalid', problem: line }));
    const page = await (await daemon.fetch('/')).text();
    expect(page).toContain('probes/typo.yaml:9:5');
    const validated = await brainstem(['validate', home.path], {
      LISTEN: '127.0.0.1:1',
      BUS_URL: 'http://127.0.0.1:1',
    });
    expect(validated).toMatchObject({ code: 1 });
    expect(validated.err).toContain(line);
    expect(await succeeded()).toBe(0);

    const asked = targets.requests('steady').length;
    await until(() => targets.requests('steady').length > asked + 2, { what: 'probing to go on' });
    expect(targets.requests('typo')).toHaveLength(0);
    const self = await untilIncident(daemon, 'reload', 'open', ({ resolved_at }) => resolved_at === undefined);
    expect(self.cause).toContain('probes/typo.yaml:9:5');

    await home.write({ 'probes/typo.yaml': probeFile(targets, 'typo') });
    await untilState(daemon, 'typo', 'up');
    await untilIncident(daemon, 'reload', 'over', ({ resolution }) => resolution === 'recovered');
    expect(await succeeded()).toBe(1);
    expect(await config()).toMatchObject({ ok: true, problems: [], probes: before.probes + 1 });
  });

  it.each([
    ['SIGHUP', () => daemon.signal('SIGHUP')],
    ['POST /-/reload', async () => expect((await reload()).status).toBe(200)],
  ])('is not needed where %s tells of a change that no watch can see', async (how, tell) => {
    const { targets, home } = scene;
    const file = join(home.path, 'address');
    const [before, after] = [`${how.slice(0, 4)}-before`, `${how.slice(0, 4)}-after`];
    await writeFile(file, targets.url(before));
    await save(
      'probes/addressed.yaml',
      probeFile(targets, 'addressed').replace(/url: "[^"]*"/, `url: "\${file:${file}}"`),
    );
    await until(() => targets.requests(before).length > 0, { what: 'the address in the file to be probed' });
    await writeFile(file, targets.url(after));
    await tell();
    await until(() => targets.requests(after).length > 0, { what: 'the changed address to be probed' });
  });
});

describe('a file that is written byte by byte', () => {
  it('never stops what runs, through hundreds of reloads', async () => {
    const { targets, home } = scene;
    const path = join(home.path, 'probes/written.yaml');
    const text = `# ${'a file that takes its time. '.repeat(4)}\n${probeFile(targets, 'written')}`;
    let done = false;
    const writing = (async () => {
      while (!done) {
        const file = await open(path, 'w');
        for (const byte of Buffer.from(text)) await file.write(Buffer.of(byte));
        await file.close();
      }
    })();
    const answers = { 200: 0, 400: 0 } as Record<number, number>;
    const end = performance.now() + 10_000;
    let asked = targets.requests('steady').length;
    for (let reloads = 1; reloads <= 1_000 && (reloads <= 200 || performance.now() < end); reloads += 1) {
      const { status } = await reload();
      answers[status] = (answers[status] ?? 0) + 1;
      if (reloads % 100 > 0) continue;
      const now = targets.requests('steady').length;
      expect(now).toBeGreaterThan(asked);
      asked = now;
      expect((await probeOf(daemon, 'steady')).state).toBe('up');
    }
    done = true;
    await writing;
    console.log(
      `reloads during the writing: ${answers[200]} taken, ${answers[400]} refused; alerts ${scene.alerts.kinds('reload').length}`,
    );
    expect(answers[400]).toBeGreaterThan(0);
    expect(Object.keys(answers).every((status) => status === '200' || status === '400')).toBe(true);
    expect(await incidentsOf(daemon, 'steady')).toEqual([]);
  }, 60_000);

  it('counts once it is whole', async () => {
    const { targets, home } = scene;
    const path = join(home.path, 'probes/written.yaml');
    await save('probes/written.yaml', probeFile(targets, 'written'));
    await untilState(daemon, 'written', 'up');
    const good = await config();
    await truncate(path, probeFile(targets, 'written').indexOf('" }'));
    expect((await reload()).status).toBe(400);
    expect(await succeeded()).toBe(0);
    expect(await config()).toMatchObject({ ok: false, revision: good.revision, probes: good.probes });
    await save('probes/written.yaml', probeFile(targets, 'written'));
    expect(await succeeded()).toBe(1);
    await until(async () => (await incidentsOf(daemon, 'reload')).every(({ resolved_at }) => resolved_at), {
      what: 'the self-incident to be over',
    });
  });
});

describe('a reload in the middle of an incident', () => {
  it('keeps the incident and the counters, and applies new thresholds to the next verdict', async () => {
    const { targets, alerts } = scene;
    targets.set('patient', 'broken');
    await save('probes/patient.yaml', probeFile(targets, 'patient').replace('fail_after: 2', 'fail_after: 500'));
    await until(() => targets.requests('patient').length > 8, { what: 'a streak of failures' });
    expect(await incidentsOf(daemon, 'patient')).toEqual([]);
    const changedAt = Date.now();
    await save('probes/patient.yaml', probeFile(targets, 'patient').replace('fail_after: 2', 'fail_after: 8'));
    const { since } = await untilState(daemon, 'patient', 'down');
    const needed = targets.requests('patient').filter((at) => at > changedAt && at < Date.parse(since));
    // With a streak that began anew it would have taken eight.
    expect(needed.length).toBeLessThan(6);

    const [opened] = await incidentsOf(daemon, 'patient');
    const series = 'brainstem_probe_runs_total{probe="patient",reason="http_status"}';
    const counted = (await metricOf(daemon, series)) ?? 0;
    expect(counted).toBeGreaterThanOrEqual(8);
    await save('probes/patient.yaml', probeFile(targets, 'patient', '    severity: critical\n'));
    await pass(1_000);
    expect(await incidentsOf(daemon, 'patient')).toEqual([opened]);
    expect(await metricOf(daemon, series)).toBeGreaterThan(counted);
    expect(alerts.kinds('patient')).toEqual(['opened']);
  });

  it('keeps the incident open when its target changes, for the next verdicts to decide', async () => {
    const { targets, alerts } = scene;
    const [before] = await incidentsOf(daemon, 'patient');
    targets.set('elsewhere', 'broken');
    await save('probes/patient.yaml', probeFile(targets, 'patient', '', 'elsewhere'));
    await until(() => targets.requests('elsewhere').length > 3, { what: 'the new target to be probed' });
    expect((await incidentsOf(daemon, 'patient')).map(({ id, resolved_at }) => ({ id, resolved_at }))).toEqual([
      { id: before?.id, resolved_at: undefined },
    ]);
    targets.set('elsewhere', 'ok');
    await untilIncident(daemon, 'patient', 'recovered', ({ resolution }) => resolution === 'recovered');
    await until(() => alerts.kinds('patient').includes('resolved'), { what: 'the resolved message' });
    expect(alerts.kinds('patient')).toEqual(['opened', 'resolved']);
  });

  it('begins the streak anew when the target changes', async () => {
    const { targets } = scene;
    for (const name of ['first', 'second']) targets.set(name, 'broken');
    const file = (target: string) => probeFile(targets, 'moving', '', target).replace('fail_after: 2', 'fail_after: 8');
    await save('probes/moving.yaml', file('first'));
    await until(() => targets.requests('first').length > 4, { what: 'a streak of failures' });
    await save('probes/moving.yaml', file('second'));
    await untilState(daemon, 'moving', 'down');
    expect(targets.requests('first').length).toBeLessThan(8);
    expect(targets.requests('second').length).toBeGreaterThanOrEqual(8);
  });

  it('keeps what windows have seen', async () => {
    const { targets } = scene;
    const file = (title: string) =>
      probeFile(targets, 'windowed', `    title: ${title}\n    warn: ['count("latency_ms", "4s") < 1']\n`);
    await save('probes/windowed.yaml', file('One'));
    await untilState(daemon, 'windowed', 'degraded');
    await pass(1_500);
    const changedAt = new Date().toISOString();
    await save('probes/windowed.yaml', file('Two'));
    const verdicts = await until(
      async () => {
        const { results } = await daemon.api<{ results: { verdict: string }[] }>(
          `probes/windowed/history?from=${changedAt}`,
        );
        return results.length > 4 && results.map(({ verdict }) => verdict);
      },
      { what: 'results after the change' },
    );
    expect(new Set(verdicts)).toEqual(new Set(['warn']));
  });

  it('closes the incident of a probe that was removed, with one note', async () => {
    const { targets, alerts, home } = scene;
    targets.set('doomed', 'broken');
    await save('probes/doomed.yaml', probeFile(targets, 'doomed'));
    await untilIncident(daemon, 'doomed', 'open');
    await until(() => alerts.kinds('doomed').includes('opened'), { what: 'the page' });
    await rm(join(home.path, 'probes/doomed.yaml'));
    const story = await untilIncident(daemon, 'doomed', 'closed', ({ resolved_at }) => resolved_at !== undefined);
    expect(story.resolution).toBe('definition_removed');
    expect(storyKinds(story)).toEqual(['opened', 'resolved']);
    await until(() => alerts.kinds('doomed').length > 1, { what: 'the note' });
    const asked = targets.requests('doomed').length;
    await pass(1_000);
    expect(alerts.kinds('doomed')).toEqual(['opened', 'closed']);
    expect(targets.requests('doomed')).toHaveLength(asked);
    expect((await daemon.fetch('/api/v1/probes/doomed')).status).toBe(404);
  });
});
