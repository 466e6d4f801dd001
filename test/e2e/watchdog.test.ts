import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { type DeadMan, startDeadMan } from '../estate/dead-man.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { metricOf, pass, type Scene, setScene } from '../estate/scene.ts';

let scene: Scene;
let deadMan: DeadMan;

beforeEach(async () => {
  deadMan = await startDeadMan();
  scene = await setScene((targets) => ({
    'brainstem.yml': 'watchdog: { url: "${WATCHDOG_URL}", every: 1s }\n',
    'probes/all.yaml': probesFile(probe(targets, 'web')),
  }));
});

afterEach(async () => {
  await scene.close();
  await deadMan.close();
});

const untilMore = async () => {
  const before = deadMan.pings().length;
  await until(() => deadMan.pings().length > before + 1, { what: 'more pings', withinMs: 30_000 });
};

it('the watchdog hears nothing of a daemon that is stopped, killed or not told where it is, and hears of it again', async () => {
  const daemon = await scene.start({ environment: { WATCHDOG_URL: deadMan.url } });
  await untilMore();
  daemon.signal('SIGSTOP');
  await pass(500);
  const before = deadMan.requests().length;
  await pass(3_000);
  expect(deadMan.requests()).toHaveLength(before);
  daemon.signal('SIGCONT');
  await untilMore();
  expect(await metricOf(daemon, 'brainstem_watchdog_pings_total{outcome="sent"}')).toBeGreaterThan(2);
  const everything = `${JSON.stringify(daemon.log)}${daemon.output()}${await (await daemon.fetch('/api/v1/status')).text()}`;
  expect(everything).not.toContain(deadMan.key);

  await daemon.kill();
  await pass(500);
  const atDeath = deadMan.requests().length;
  const silent = await scene.start();
  await pass(2_500);
  expect(deadMan.requests()).toHaveLength(atDeath);
  // Its variable may come later, as with everything that is unconfigured.
  await scene.home.write({ '.env': `WATCHDOG_URL=${deadMan.url}\n` });
  await untilMore();
  expect(await silent.stop()).toBe(0);
}, 90_000);
