/** 10,000 HTTP probes every 30 s for ten minutes: processor, memory, runs that were skipped, and blocks of the event loop. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/estate/daemon.ts';
import type { Figure, Scenario } from '../figure.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { makeFolder } from '../parts/peers.ts';
import { cpuUs, residentMb } from '../parts/process-cost.ts';
import { startTarget, type Target } from '../parts/target.ts';
import { startWatching, watch } from '../parts/watched-home.ts';

const PROBES = 10_000;
const EVERY_MS = 30_000;
const WARM_UP_MS = 45_000;
const WINDOW_MS = 600_000;
const LOOK_EVERY_MS = 5_000;
const LOOP_DELAY = join(import.meta.dirname, '../parts/loop-delay.cjs');

export const many: Scenario = {
  name: 'many',
  summary: '10,000 HTTP probes every 30 s for ten minutes',
  run: (say) => withCleanups((later) => measure(later, say)),
};

async function measure(later: (cleanup: Cleanup) => void, say: (progress: string) => void): Promise<Figure[]> {
  const target = await startTarget();
  later(() => target.stop());
  const file = join(await makeFolder(later), 'loop-delay.json');
  const probes = watch('plain', PROBES, () => `http://${target.address}`);
  say('warm-up');
  const daemon = await startWatching(probes, `${EVERY_MS}ms`, later, {
    nodeArguments: ['--require', LOOP_DELAY],
    environment: { LOOP_DELAY_FILE: file },
  });
  await everyPathAsked(target);
  await sleep(WARM_UP_MS);
  say('ten minutes');
  daemon.signal('SIGUSR2');
  await target.take();
  const [before, began] = [cpuUs(daemon.pid), performance.now()];
  const gaps = await follow(target);
  const share = (cpuUs(daemon.pid) - before) / (performance.now() - began) / 10;
  const memory = residentMb(daemon.pid);
  await daemon.stop();
  const delay = JSON.parse(await readFile(file, 'utf8')) as { p999: number };
  return [
    { name: 'CPU, 10,000 probes every 30 s', value: share, unit: '% of a core', most: 40 },
    { name: 'resident memory, 10,000 probes', value: memory, unit: 'MB', most: 200 },
    { name: 'runs skipped in ten minutes', value: gaps, unit: 'runs', most: 0 },
    { name: 'block of the event loop, p99.9 over ten minutes', value: delay.p999, unit: 'ms', most: 20 },
  ];
}

async function everyPathAsked(target: Target): Promise<void> {
  const seen = new Set<string>();
  await until(
    async () => {
      for (const { path } of await target.take()) seen.add(path);
      return seen.size === PROBES;
    },
    { what: 'each probe to run once', withinMs: 90_000 },
  );
}

/** How many runs are missing: two requests for one path that lie more than one and a half intervals apart lack one. */
async function follow(target: Target): Promise<number> {
  const end = performance.now() + WINDOW_MS;
  const last = new Map<string, number>();
  let missing = 0;
  while (performance.now() < end) {
    await sleep(LOOK_EVERY_MS);
    for (const { path, at } of await target.take()) {
      missing += Math.max(0, Math.round((at - (last.get(path) ?? at - EVERY_MS)) / EVERY_MS) - 1);
      last.set(path, at);
    }
  }
  return missing + PROBES - last.size;
}
