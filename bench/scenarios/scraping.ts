/** Scrapes of ten thousand and of a hundred thousand series, beside a program of client_golang that has the same ones. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { until } from '../../test/estate/daemon.ts';
import type { Figure, Scenario } from '../figure.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { makeFolder, type Server, startServer } from '../parts/peers.ts';
import { cpuUs } from '../parts/process-cost.ts';
import { median } from '../parts/statistics.ts';
import { startTarget } from '../parts/target.ts';
import { startWatching, watch } from '../parts/watched-home.ts';

const runFile = promisify(execFile);
const PEER = join(import.meta.dirname, '../parts/client-golang.go');
/** Where Debian keeps the sources of Go libraries. */
const GO = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };

interface Size {
  readonly name: string;
  readonly probes: number;
  /** Rarely enough that probing is not seen beside the scrapes. */
  readonly every: string;
  readonly leastSeries: number;
  readonly scrapes: number;
}

const SIZES: readonly Size[] = [
  { name: '10 k series', probes: 500, every: '2m', leastSeries: 10_000, scrapes: 40 },
  { name: '100 k series', probes: 4_500, every: '10m', leastSeries: 100_000, scrapes: 8 },
];
const REPETITIONS = 3;

export const scraping: Scenario = {
  name: 'scraping',
  summary: 'scrapes of 500 and of 4,500 HTTP probes, uncompressed, beside client_golang',
  run: (say) =>
    withCleanups(async (later) => {
      const folder = await makeFolder(later);
      const program = join(folder, 'client-golang');
      await runFile('go', ['build', '-o', program, PEER], {
        env: { ...process.env, ...GO, GOCACHE: join(folder, 'cache') },
      });
      const figures: Figure[] = [];
      for (const size of SIZES) {
        say(size.name);
        figures.push(await withCleanups((after) => measure(size, { folder, program }, after)));
      }
      return figures;
    }),
};

async function measure(
  { name, probes, every, leastSeries, scrapes }: Size,
  peer: { readonly folder: string; readonly program: string },
  later: (cleanup: Cleanup) => void,
): Promise<Figure> {
  const target = await startTarget();
  later(() => target.stop());
  const watched = watch('plain', probes, () => `http://${target.address}`);
  const { pid, url } = await startWatching(watched, every, later);
  const ours = { pid, url: `${url}/metrics` };
  const isComplete = async () => (await scrape(ours.url)) > leastSeries;
  await until(isComplete, { what: `${leastSeries} series at ${ours.url}`, withinMs: 120_000 });
  const theirs = await startPeer(peer, await read(ours.url), later);
  await costPerSeries(ours, scrapes);
  await costPerSeries(theirs, scrapes);
  const measured: { ours: number; theirs: number }[] = [];
  for (let repetition = 1; repetition <= REPETITIONS; repetition += 1) {
    measured.push({ ours: await costPerSeries(ours, scrapes), theirs: await costPerSeries(theirs, scrapes) });
  }
  return {
    name: `CPU per scraped series, ${name}`,
    value: median(measured.map((one) => one.ours)),
    unit: 'µs',
    peer: { name: 'client_golang', value: median(measured.map((one) => one.theirs)) },
    ratio: median(measured.map((one) => one.ours / one.theirs)),
    ...{ most: 0.5, isRatio: true },
  };
}

async function startPeer(
  { folder, program }: { readonly folder: string; readonly program: string },
  exposition: string,
  later: (cleanup: Cleanup) => void,
): Promise<Server> {
  const file = join(folder, 'exposition.txt');
  await writeFile(file, exposition);
  const { pid, url } = await startServer(program, (address) => [file, address], '/metrics', later);
  return { pid, url: `${url}/metrics` };
}

async function costPerSeries({ pid, url }: Server, scrapes: number): Promise<number> {
  const before = cpuUs(pid);
  let series = 0;
  for (let count = 0; count < scrapes; count += 1) {
    series += await scrape(url);
    await sleep(20);
  }
  return (cpuUs(pid) - before) / series;
}

/** Number of series. */
async function scrape(url: string): Promise<number> {
  return (await read(url)).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

async function read(url: string): Promise<string> {
  const response = await fetch(url, { headers: { 'Accept-Encoding': 'identity' } });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.text();
}
