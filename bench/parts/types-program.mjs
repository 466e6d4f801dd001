/**
 * What a run of each probe type costs beside a minimal client, in a process of its own: batches in turns, each beginning
 * every second time. Plain JavaScript on `dist/`, so that nothing stands between Node and what users run.
 * Usage: types-program.mjs SUBJECTS, JSON: a type and a spec each. Prints a line of JSON for each: microseconds of CPU per run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { probeTypes } from '../../dist/probe-types/index.js';
import { minimalClients } from './minimal-clients.mjs';

/** Until the just-in-time compiler is done: after a few hundred runs ours still costs twice as much, for it is more code. */
const WARM_UP_RUNS = 2_500;
/** The runs of those that take long come to an end all the same. */
const WARM_UP_MS = 8_000;
const BATCHES = 20;
const RUNS = 20;
/**
 * Before each run, as between the runs of a definition: both sides find a server that sleeps. Back to back, whoever comes
 * back a little sooner finds it awake, and pays half as much for the same exchange.
 */
const PAUSE_MS = 1;
/** What a run leaves to be closed later is its own cost. */
const SETTLE_MS = 10;
const TIMEOUT_MS = 10_000;

const clock = { now: Date.now, monotonic: () => performance.now() };
const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
/** No condition reads anything, as of a definition that has none. */
const input = { probe: 'bench', reads: new Set() };

/** Both get the deadline of a run, which is the runner's to make, and not the type's; a minimal client does not look at it. */
function within(work) {
  return async () => {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), TIMEOUT_MS);
    await work(deadline.signal);
    clearTimeout(timer);
  };
}

function probe(name, given) {
  const type = probeTypes[name];
  const spec = type.spec.parse(given);
  return async (signal) => {
    const { reason, error } = await type.run(spec, input, { signal, timeoutMs: TIMEOUT_MS, clock, log });
    if (reason !== 'ok') throw new Error(`${name}: ${reason}: ${error}`);
  };
}

async function warmUp(run) {
  const end = performance.now() + WARM_UP_MS;
  for (let count = 0; count < WARM_UP_RUNS && performance.now() < end; count += 1) await run();
}

async function batch(run) {
  const before = process.cpuUsage();
  for (let count = 0; count < RUNS; count += 1) {
    await sleep(PAUSE_MS);
    await run();
  }
  await sleep(SETTLE_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / RUNS;
}

async function measure({ type, spec }) {
  const [run, peer] = [within(probe(type, spec)), within(minimalClients[type](spec))];
  await warmUp(run);
  await warmUp(peer);
  const pairs = [];
  for (let count = 0; count < BATCHES; count += 1) {
    const isFirst = count % 2 === 0;
    const early = isFirst ? await batch(run) : undefined;
    const theirs = await batch(peer);
    pairs.push({ ours: early ?? (await batch(run)), theirs });
  }
  return pairs;
}

for (const subject of JSON.parse(process.argv[2])) {
  process.stdout.write(`${JSON.stringify(await measure(subject))}\n`);
}
process.exit(0);
