/** Every query of the dashboard, as Grafana would ask it, answered by a real Prometheus that scrapes a real daemon. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { readDashboard, targetsOf } from '../estate/dashboard.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type Prometheus, type Sample, startPrometheus } from '../estate/prometheus.ts';
import { type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

const dashboard = readDashboard('overview');
const queries = targetsOf(dashboard);
const ALL = { group: '.+', probe: '.+' };

let scene: Scene;
let daemon: Daemon;
let prometheus: Prometheus;

/** A down probe with a fix that is refused, a degraded one, one that was healed by its fix, and one that is fine. */
beforeAll(async () => {
  scene = await setScene((targets) => ({
    'probes/shop.yaml': probesFile(
      probe(targets, 'broken', ['severity: critical', 'remediate: [{ try: [watch-broken] }]']),
      probe(targets, 'limping', [`warn: ['json.status != "degraded"']`]),
    ),
    'probes/desk.yaml': probesFile(
      probe(targets, 'mended', ['remediate: [{ try: [mend-mended] }]']),
      probe(targets, 'sound', []),
    ),
    'remediations/all.yaml': remediationsFile(
      fix(targets, 'watch-broken', 'broken', 'nothing', ['mode: observe']),
      fix(targets, 'mend-mended', 'mended', 'nothing', ['verify_within: 60s']),
    ),
  }));
  daemon = await scene.start();
  for (const name of ['broken', 'limping', 'mended', 'sound']) await untilState(daemon, name, 'up');
  prometheus = await startPrometheus(scene.port);
  // What rises from nothing must have been seen at nothing.
  await until(async () => (await prometheus.query('brainstem_remediation_refusals_total')).length > 0, {
    what: 'the first scrape',
  });
  scene.targets.set('broken', 'broken');
  scene.targets.set('limping', 'degraded');
  scene.targets.set('mended', 'broken');
  await untilState(daemon, 'broken', 'down');
  await untilState(daemon, 'limping', 'degraded');
  await until(() => scene.targets.fixNames().includes('mend-mended'), { what: 'the fix to run' });
  // Down for less than a second, it would be seen by no scrape.
  await until(
    async () => (await prometheus.query('brainstem_probe_state{probe="mended",state="down"} == 1')).length > 0,
    {
      what: 'the scrape of a probe that is down',
    },
  );
  scene.targets.set('mended', 'ok');
  await untilIncident(daemon, 'mended', 'healed', ({ healed_by }) => healed_by === 'mend-mended');
  await untilIncident(daemon, 'broken', 'refused', ({ attempts }) => attempts.some(({ refusal }) => refusal));
  await until(() => scene.alerts.kinds('mended').includes('resolved'), { what: 'the end to be told' });
}, 180_000);

afterAll(async () => {
  await prometheus?.stop();
  await scene?.close();
});

/** Puts values where Grafana puts them before it asks. */
function substituted(expression: string, chosen: Readonly<Record<string, string>> = ALL): string {
  const values: Readonly<Record<string, string>> = {
    __rate_interval: '60s',
    __interval: '120s',
    __range: '300s',
    ...chosen,
  };
  return expression.replace(/\$(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the dashboard uses $${name}, for which this test has no value`);
    return value;
  });
}

const expressionOf = (title: string) => queries.find((query) => query.title === title)?.expr ?? '';

/** Waits until an instant query of a panel answers as it should. */
function answer(
  title: string,
  fits: (samples: readonly Sample[]) => boolean,
  chosen?: Readonly<Record<string, string>>,
) {
  const expression = substituted(expressionOf(title), chosen);
  return until(
    async () => {
      const samples = await prometheus.query(expression);
      return fits(samples) && samples;
    },
    { what: `${title} to be answered: ${expression}` },
  );
}

const valueIs = (value: string) => (samples: readonly Sample[]) => samples[0]?.value[1] === value;

describe('a panel of the dashboard', () => {
  it.each(queries.map((query) => [query.title, query.refId, query] as const))(
    'gets an answer: %s, %s',
    async (_title, _refId, { expr, instant }) => {
      const expression = substituted(expr);
      const ask = instant ? prometheus.query : prometheus.queryRange;
      await until(async () => (await ask(expression)).length > 0, { what: `series of ${expression}` });
    },
  );

  it('counts what is down and what is degraded', async () => {
    await answer('Down', valueIs('1'));
    await answer('Degraded', valueIs('1'));
    await answer('Unknown', valueIs('0'));
    await answer('Open incidents', valueIs('2'));
  });

  it('counts only what is chosen', async () => {
    await answer('Down', valueIs('0'), { group: 'desk', probe: '.+' });
    await answer('Down', valueIs('1'), { group: '.+', probe: '(broken|mended)' });
    await answer('Down', valueIs('0'), { group: '.+', probe: '(limping|mended)' });
  });

  it('says what is wrong, with its labels, and for how long', async () => {
    const samples = await answer('What is wrong, and for how long', ({ length }) => length === 2);
    const byProbe = new Map(samples.map((sample) => [sample.metric['probe'], sample]));
    expect(byProbe.get('broken')?.metric).toMatchObject({
      ...{ state: 'down', severity: 'critical', group: 'shop', type: 'http', instance: scene.targets.url('broken') },
    });
    expect(byProbe.get('limping')?.metric).toMatchObject({ state: 'degraded', group: 'shop' });
    const { since } = await daemon.api<{ since: string }>('probes/broken');
    const wrongFor = Number(byProbe.get('broken')?.value[1]) * 1_000;
    const asOf = Number(byProbe.get('broken')?.value[0]) * 1_000;
    expect(asOf - wrongFor).toBeCloseTo(Date.parse(since), -1);
  });

  it('says that Brainstem is there', () => answer('Brainstem', valueIs('1')));

  it('tells attempts by outcome, and who healed', async () => {
    const attempts = await answer('What each fix achieved', ({ length }) => length > 0);
    expect(attempts.map(({ metric }) => metric)).toEqual([{ remediation: 'mend-mended', outcome: 'healed' }]);
    const healed = await answer('Incidents ended, by what healed them', ({ length }) => length > 0);
    expect(healed.map(({ metric }) => metric)).toEqual([{ healed_by: 'mend-mended' }]);
  });

  it('shows the states of those that were not fine, and of no other', async () => {
    const expression = substituted(expressionOf('Probes that were down or degraded in this time'));
    const series = await until(
      async () => {
        const answered = await prometheus.queryRange(expression);
        return answered.length >= 3 && answered;
      },
      { what: 'three lines of states' },
    );
    expect(series.map(({ metric }) => metric['probe']).sort()).toEqual(['broken', 'limping', 'mended']);
  });
});

describe('a variable of the dashboard', () => {
  const choices = dashboard.templating.list.flatMap(({ name, definition }) =>
    definition ? [[name, definition] as const] : [],
  );

  it.each(choices)('offers choices: %s', async (_name, definition) => {
    const [, match = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(substituted(definition)) ?? [];
    expect((await prometheus.labelValues(label, match)).length).toBeGreaterThan(1);
  });
});

describe('an annotation of the dashboard', () => {
  it.each(dashboard.annotations.list.map(({ name, expr }) => [name, expr] as const))(
    'has a time: %s',
    async (_name, expr) => {
      const [sample] = await prometheus.query(substituted(expr));
      expect(Math.abs(Number(sample?.value[1]) - Date.now())).toBeLessThan(3_600_000);
    },
  );
});
