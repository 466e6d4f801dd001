/** Resident memory of the daemon, store worker included, with 1,000 probes, and what further ones add. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure, Scenario } from '../figure.ts';
import { withCleanups } from '../parts/cleanups.ts';
import { residentMb } from '../parts/process-cost.ts';
import { median } from '../parts/statistics.ts';
import { startTarget } from '../parts/target.ts';
import { startWatching, watch } from '../parts/watched-home.ts';

/** The rate of probes is the same, so that only their number differs. */
const FEW = { probes: 1_000, every: '5s' } as const;
const MANY = { probes: 4_000, every: '20s' } as const;
const SETTLE_MS = 25_000;
const SAMPLES = 20;
const SAMPLE_EVERY_MS = 500;
const REPETITIONS = 2;

export const memory: Scenario = {
  name: 'memory',
  summary: 'resident memory with 1,000 and with 4,000 HTTP probes',
  async run(say) {
    const measured: { few: number; many: number }[] = [];
    for (let repetition = 1; repetition <= REPETITIONS; repetition += 1) {
      say(`${repetition} of ${REPETITIONS}`);
      const [few, many] = await Promise.all([settled(FEW), settled(MANY)]);
      measured.push({ few, many });
    }
    const thousands = (MANY.probes - FEW.probes) / 1_000;
    return [
      { name: 'resident memory, 1,000 probes', value: median(measured.map(({ few }) => few)), unit: 'MB', most: 120 },
      {
        name: 'memory per further 1,000 probes',
        value: median(measured.map(({ few, many }) => (many - few) / thousands)),
        unit: 'MB',
        most: 6,
      },
    ] satisfies Figure[];
  },
};

/** Median over some seconds, once each probe has run several times. */
async function settled({ probes, every }: { readonly probes: number; readonly every: string }): Promise<number> {
  return withCleanups(async (later) => {
    const target = await startTarget();
    later(() => target.stop());
    const { pid } = await startWatching(
      watch('plain', probes, () => `http://${target.address}`),
      every,
      later,
    );
    await sleep(SETTLE_MS);
    const samples: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      await sleep(SAMPLE_EVERY_MS);
      samples.push(residentMb(pid));
    }
    return median(samples);
  });
}
