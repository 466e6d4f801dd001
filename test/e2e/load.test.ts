import { afterEach, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { incidentsOf, metricOf, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene | undefined;

afterEach(async () => {
  await scene?.close();
  scene = undefined;
});

const STOP_MS = 10_000;
/** Reports that it runs, and then takes longer than any daemon waits. */
const SLOW_FIX = 'fetch(process.argv[1], { method: "POST" }).then(() => setTimeout(() => undefined, 60_000))';

describe('SIGTERM with a hundred probes in flight and a fix running', () => {
  it('ends in time, loses nothing, and the next start goes on without running the fix again', async () => {
    const hanging = Array.from({ length: 100 }, (_, index) => `hanging-${index}`);
    scene = await setScene((targets) => ({
      'probes/all.yaml': probesFile(
        ...hanging.map((name) => probe(targets, name, ['every: 60s', 'timeout: 60s', 'fail_after: 1'])),
        probe(targets, 'quick'),
        probe(targets, 'broken', ['remediate: [{ try: [slow] }]']),
      ),
      'remediations/all.yaml': remediationsFile(
        `  - name: slow
    exec: { argv: ${JSON.stringify([process.execPath, '-e', SLOW_FIX, targets.url('').replace('target/', 'fix/broken/slow/nothing')])} }
    verify_within: 2s
`,
      ),
    }));
    const { targets, alerts } = scene;
    for (const name of hanging) targets.set(name, 'hang');
    targets.set('broken', 'broken');
    const first = await scene.start();
    await until(() => targets.waiting().now >= hanging.length, { what: 'a hundred probes in flight' });
    await until(() => targets.fixNames().length === 1, { what: 'the fix to run' });
    await until(() => alerts.kinds('broken').includes('opened'), { what: 'the page' });
    const opened = await untilIncident(first, 'broken', 'open');
    const asked = targets.requests('quick').length;

    const stoppedAt = Date.now();
    expect(await first.stop()).toBe(0);
    const tookMs = Date.now() - stoppedAt;
    console.log(`stopped in ${tookMs} ms`);
    expect(tookMs).toBeLessThan(STOP_MS + 5_000);
    expect(first.log.filter(({ level }) => level === 'error')).toEqual([]);

    for (const name of hanging) targets.set(name, 'ok');
    const second = await scene.start();
    const ended = await untilIncident(second, 'broken', 'verified', ({ exhausted }) => exhausted);
    expect(ended).toMatchObject({ id: opened.id, reopened: 0 });
    expect(ended.attempts.map(({ remediation, state }) => [remediation, state])).toEqual([['slow', 'unknown']]);
    expect(targets.fixNames()).toEqual(['slow']);
    await until(() => alerts.kinds('broken').includes('escalated'), { what: 'the escalation' });
    expect(alerts.kinds('broken').filter((kind) => kind === 'opened')).toHaveLength(1);
    const { results } = await second.api<{ results: { at: string }[] }>('probes/quick/history');
    const kept = results.filter(({ at }) => Date.parse(at) <= stoppedAt);
    expect(kept.length).toBeGreaterThanOrEqual(asked - 1);
    // What the end of the daemon cut short said nothing about its target.
    for (const name of ['hanging-0', 'hanging-99']) {
      await untilState(second, name, 'up');
      expect(await incidentsOf(second, name)).toEqual([]);
    }
    expect(await second.stop()).toBe(0);
  }, 60_000);
});

const COUNT = 2_000;
const EVERY_MS = 5_000;
const MAX_IN_FLIGHT = 1_000;

describe('two thousand probes that are due together', () => {
  it('are spread, bounded when their targets hang, counted when they are left out, and all go on afterwards', async () => {
    const names = Array.from({ length: COUNT }, (_, index) => `probe-${index}`);
    scene = await setScene((targets) => ({
      'probes/all.yaml': `defaults: { every: ${EVERY_MS}ms, timeout: ${EVERY_MS}ms, fail_after: 1000 }\nprobes:\n${names
        .map((name) => `  - { name: ${name}, http: { url: "${targets.url(name)}" } }\n`)
        .join('')}`,
    }));
    const { targets } = scene;
    const daemon = await scene.start();
    const asked = (since: number) => names.filter((name) => (targets.requests(name).at(-1) ?? 0) > since).length;
    await until(() => asked(0) === COUNT, { what: 'every target to be probed', withinMs: 60_000 });
    expect(busiest(names.map((name) => targets.requests(name)[0] ?? 0))).toBeLessThan(COUNT / 4);

    for (const name of names) targets.set(name, 'hang');
    await until(() => targets.waiting().now >= MAX_IN_FLIGHT * 0.9, { what: 'the house to be full', withinMs: 60_000 });
    await until(async () => (await overruns(daemon)) > 0, { what: 'a run that is left out', withinMs: 60_000 });
    expect(targets.waiting().most).toBeLessThanOrEqual(MAX_IN_FLIGHT);
    expect((await daemon.fetch('/-/ready')).status).toBe(200);

    const mendedAt = Date.now();
    for (const name of names) targets.set(name, 'ok');
    await until(() => asked(mendedAt) === COUNT, { what: 'every target to be probed again', withinMs: 60_000 });
    expect(targets.waiting().most).toBeLessThanOrEqual(MAX_IN_FLIGHT);
    expect(await metricOf(daemon, 'brainstem_store_dropped_results_total')).toBe(0);
    expect(await daemon.stop()).toBe(0);
  }, 120_000);
});

/** The most that began within any tenth of a second. */
function busiest(times: readonly number[]): number {
  const buckets = new Map<number, number>();
  for (const at of times) buckets.set(Math.floor(at / 100), (buckets.get(Math.floor(at / 100)) ?? 0) + 1);
  return Math.max(...buckets.values());
}

async function overruns(daemon: Daemon): Promise<number> {
  const text = await (await daemon.fetch('/metrics')).text();
  const counts = [...text.matchAll(/^brainstem_probe_overruns_total\{[^}]*\} (\d+)$/gm)].map(([, count]) =>
    Number(count),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
