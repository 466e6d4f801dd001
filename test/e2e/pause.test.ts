import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FAILPOINT_CONSENT, FAILPOINT_VARIABLE } from '../../src/failpoint.ts';
import { until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { incidentsOf, metricOf, pass, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene | undefined;

afterEach(async () => {
  await scene?.close();
  scene = undefined;
});

const EVERY_MS = 1_000;
const PAUSE_MS = 4_500;
const names = (count: number) => Array.from({ length: count }, (_, index) => `probe-${index}`);

describe('a process that is stopped and continued', () => {
  it('probes each target once to catch up, acts on nothing it saw before, and says so once', async () => {
    const ladder = (name: string) => [`remediate: [{ try: [mend-${name}] }]`];
    const quick = names(10);
    scene = await setScene((targets) => ({
      'probes/all.yaml': probesFile(
        ...quick.map((name) => probe(targets, name, [`every: ${EVERY_MS}ms`])),
        probe(targets, 'mended', ladder('mended')),
        probe(targets, 'still-broken', ladder('still-broken')),
        probe(targets, 'in-flight', ['every: 3s', 'timeout: 3s', 'fail_after: 1']),
      ),
      'remediations/all.yaml': remediationsFile(
        fix(targets, 'mend-mended', 'mended', 'mends'),
        fix(targets, 'mend-still-broken', 'still-broken', 'mends'),
      ),
    }));
    const { targets, alerts, home } = scene;
    await home.write({ 'data/FREEZE': '' });
    for (const name of ['mended', 'still-broken']) targets.set(name, 'broken');
    const daemon = await scene.start();
    for (const name of ['mended', 'still-broken']) await untilState(daemon, name, 'down');
    for (const name of [...quick, 'in-flight']) await untilState(daemon, name, 'up');
    targets.set('in-flight', 'hang');
    const asked = targets.requests('in-flight').length;
    await until(() => targets.requests('in-flight').length > asked, { what: 'a run in flight' });

    daemon.signal('SIGSTOP');
    await pass(500);
    const pausedAt = Date.now();
    targets.set('mended', 'ok');
    targets.set('in-flight', 'ok');
    await rm(join(home.path, 'data/FREEZE'));
    await pass(PAUSE_MS);
    const resumedAt = Date.now();
    daemon.signal('SIGCONT');

    await untilState(daemon, 'mended', 'up');
    await untilIncident(daemon, 'still-broken', 'healed', ({ healed_by }) => healed_by === 'mend-still-broken');
    expect(targets.fixNames()).toEqual(['mend-still-broken']);
    expect(targets.fixes()[0]?.at).toBeGreaterThan(targets.requests('still-broken').find((at) => at > resumedAt) ?? 0);

    const self = await untilIncident(daemon, 'stall', 'open');
    expect(self.cause).toMatch(/was paused for/);
    await until(() => alerts.kinds('stall').length > 0, { what: 'the message about ourselves' });
    expect(alerts.kinds('stall')).toEqual(['opened']);
    expect(await metricOf(daemon, 'brainstem_process_pauses_total')).toBe(1);
    expect(await metricOf(daemon, 'brainstem_process_paused_seconds_total')).toBeGreaterThan(PAUSE_MS / 1_000 - 1);

    await pass(Math.max(0, resumedAt + 3 * EVERY_MS - Date.now()));
    for (const name of quick) {
      const after = targets.requests(name).filter((at) => at >= pausedAt);
      expect(after.filter((at) => at < resumedAt)).toEqual([]);
      const window = after.filter((at) => at < resumedAt + 2 * EVERY_MS);
      expect(window.length).toBeGreaterThanOrEqual(1);
      // One to catch up, and the two that the interval asks for: what was slept through is not made up for.
      expect(window.length).toBeLessThanOrEqual(3);
      expect(await incidentsOf(daemon, name)).toEqual([]);
    }
    const { results } = await until(
      async () => {
        const history = await daemon.api<{ results: { at: string; verdict: string }[] }>('probes/in-flight/history');
        return history.results.some(({ at }) => Date.parse(at) > resumedAt) && history;
      },
      { what: 'results after the pause' },
    );
    expect(results.map(({ verdict }) => verdict)).toContain('unknown');
    expect(results.map(({ verdict }) => verdict)).not.toContain('fail');
    expect(await incidentsOf(daemon, 'in-flight')).toEqual([]);
  }, 60_000);
});

describe('an event loop that is blocked for three seconds', () => {
  it('marks what it saw as suspect, exports the lag, and believes no target to be down', async () => {
    const all = names(30);
    scene = await setScene((targets) => ({
      'probes/all.yaml': probesFile(
        ...all.map((name) => probe(targets, name, ['every: 1s', 'timeout: 800ms', 'fail_after: 1'])),
      ),
    }));
    for (const name of all) scene.targets.set(name, 'slow');
    const daemon = await scene.start({
      environment: {
        [FAILPOINT_VARIABLE]: 'observed=spin:3000@75',
        [FAILPOINT_CONSENT.name]: FAILPOINT_CONSENT.value,
      },
    });
    await until(() => daemon.log.some(({ event }) => event === 'loop_blocked'), { what: 'the blocked loop' });
    const asked = new Map(all.map((name) => [name, scene?.targets.requests(name).length ?? 0]));
    for (const [name, before] of asked) {
      await until(() => scene && scene.targets.requests(name).length > before, { what: `${name} to be probed again` });
    }
    const ran = daemon.log.filter(({ event }) => event === 'probe_ran');
    expect(ran.map(({ verdict }) => verdict)).toContain('unknown');
    expect(ran.map(({ verdict }) => verdict)).not.toContain('fail');
    for (const name of all) expect(await incidentsOf(daemon, name)).toEqual([]);
    expect(await metricOf(daemon, 'brainstem_event_loop_lag_seconds_sum')).toBeGreaterThan(2);
    const { loop_lag_ms } = await daemon.api<{ loop_lag_ms: number }>('self');
    expect(loop_lag_ms).toBeGreaterThan(2_000);
    const self = await untilIncident(daemon, 'stall', 'open');
    expect(self.cause).toMatch(/was blocked for .* by its own work/);
  });

  it('asks again soon where it could not tell, however long the interval is', async () => {
    scene = await setScene((targets) => ({
      'probes/rare.yaml': probesFile(probe(targets, 'rare', ['every: 1h', 'retry_every: 300ms'])),
    }));
    const daemon = await scene.start({
      environment: {
        [FAILPOINT_VARIABLE]: 'observed=spin:3000',
        [FAILPOINT_CONSENT.name]: FAILPOINT_CONSENT.value,
      },
    });
    await untilState(daemon, 'rare', 'up');
    const [first] = daemon.log.filter(({ event }) => event === 'probe_ran');
    expect(first?.['verdict']).toBe('unknown');
  });
});
