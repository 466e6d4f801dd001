/** What hanging targets, and names that are answered slowly, do to the punctuality of the other probes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure, Scenario } from '../figure.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { latenesses, plans } from '../parts/punctuality.ts';
import { median, quantile } from '../parts/statistics.ts';
import { startTarget } from '../parts/target.ts';
import { startWatching, watch } from '../parts/watched-home.ts';

const HANGING = 50;
const NAMED = 100;
const PROBES = 1_000;
const EVERY_MS = 5_000;
const WARM_UP_MS = 15_000;
/** Until each of the slow has begun to be slow. */
const SETTLE_MS = 5_000;
const WINDOW_MS = 10_000;
const REPETITIONS = 2;

export const slowTargets: Scenario = {
  name: 'slow-targets',
  summary: '50 of 1,000 targets hang, or 100 of their names take 5 s: the punctuality of the others',
  run: (say) => withCleanups((later) => measure(later, say)),
};

async function measure(later: (cleanup: Cleanup) => void, say: (progress: string) => void): Promise<Figure[]> {
  const target = await startTarget();
  later(() => target.stop());
  const plainly = () => `http://${target.address}`;
  const named = watch('named', NAMED, (index) => `http://name-${index}.bench:${target.httpPort}`);
  const probes = [
    ...watch('plain', PROBES - HANGING - NAMED, plainly),
    ...watch('hangs', HANGING, plainly),
    ...named.map((probe) => ({ ...probe, resolver: target.resolver })),
  ];
  say('warm-up');
  const daemon = await startWatching(probes, `${EVERY_MS}ms`, later);
  await sleep(WARM_UP_MS);

  async function punctuality(): Promise<number> {
    await sleep(SETTLE_MS);
    const plan = await plans(daemon);
    await target.take();
    await sleep(WINDOW_MS);
    const others = (await target.take()).filter(({ path }) => path.startsWith('/plain/'));
    return quantile(latenesses(others, plan, EVERY_MS), 0.99);
  }

  const measured: { healthy: number; hanging: number; slowNames: number }[] = [];
  for (let repetition = 1; repetition <= REPETITIONS; repetition += 1) {
    say(`healthy, hanging, slow names: ${repetition} of ${REPETITIONS}`);
    const healthy = await punctuality();
    target.hang(true);
    const hanging = await punctuality();
    target.hang(false);
    target.slowNames(true);
    const slowNames = await punctuality();
    target.slowNames(false);
    measured.push({ healthy, hanging, slowNames });
  }
  const healthy = { name: 'all healthy', value: median(measured.map((one) => one.healthy)) };
  const figure = (name: string, key: 'hanging' | 'slowNames'): Figure => ({
    name: `lateness of the others, p99: ${name}`,
    value: median(measured.map((one) => one[key])),
    unit: 'ms',
    peer: healthy,
    ratio: median(measured.map((one) => one[key] / one.healthy)),
    ...{ most: 2, isRatio: true },
  });
  return [
    figure(`${HANGING} of 1,000 targets hang`, 'hanging'),
    figure(`${NAMED} of 1,000 names take 5 s`, 'slowNames'),
  ];
}
