/** A scrape of more than 10,000 series, beside Prometheus handing out the same series by federation. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/estate/daemon.ts';
import type { Figure, Scenario } from '../figure.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { cpuUs } from '../parts/process-cost.ts';
import { startScraping } from '../parts/prometheus.ts';
import { median } from '../parts/statistics.ts';
import { startTarget } from '../parts/target.ts';
import { startWatching, watch } from '../parts/watched-home.ts';

const PROBES = 500;
/** Rarely enough that probing is not seen beside the scrapes. */
const EVERY = '60s';
const SCRAPES = 40;
const REPETITIONS = 3;
const LEAST_SERIES = 10_000;

export const scraping: Scenario = {
  name: 'scraping',
  summary: 'scrapes of 500 HTTP probes, uncompressed',
  run: (say) => withCleanups((later) => measure(later, say)),
};

async function measure(later: (cleanup: Cleanup) => void, say: (progress: string) => void): Promise<Figure[]> {
  const target = await startTarget();
  later(() => target.stop());
  const probes = watch('plain', PROBES, () => `http://${target.address}`);
  const daemon = await startWatching(probes, EVERY, later);
  const prometheus = await startScraping(new URL(daemon.url).host, later);
  const ours = { pid: daemon.pid, url: `${daemon.url}/metrics` };
  const match = encodeURIComponent('{job="scraped"}');
  const theirs = { pid: prometheus.pid, url: `${prometheus.url}/federate?match[]=${match}` };
  for (const { url } of [ours, theirs]) {
    await until(async () => (await scrape(url)) > LEAST_SERIES, { what: `${LEAST_SERIES} series at ${url}` });
  }
  say('warm-up');
  await costPerSeries(ours);
  await costPerSeries(theirs);
  const measured: { ours: number; theirs: number }[] = [];
  for (let repetition = 1; repetition <= REPETITIONS; repetition += 1) {
    say(`${repetition} of ${REPETITIONS}`);
    measured.push({ ours: await costPerSeries(ours), theirs: await costPerSeries(theirs) });
  }
  return [
    {
      name: 'CPU per scraped series',
      value: median(measured.map((one) => one.ours)),
      unit: 'µs',
      peer: { name: 'Prometheus, /federate', value: median(measured.map((one) => one.theirs)) },
      ratio: median(measured.map((one) => one.ours / one.theirs)),
      ...{ most: 0.5, isRatio: true },
    },
  ];
}

async function costPerSeries({ pid, url }: { readonly pid: number; readonly url: string }): Promise<number> {
  const before = cpuUs(pid);
  let series = 0;
  for (let count = 0; count < SCRAPES; count += 1) {
    series += await scrape(url);
    await sleep(20);
  }
  return (cpuUs(pid) - before) / series;
}

/** Number of series. */
async function scrape(url: string): Promise<number> {
  const response = await fetch(url, { headers: { 'Accept-Encoding': 'identity' } });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}
