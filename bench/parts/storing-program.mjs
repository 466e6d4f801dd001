/**
 * Stores results with the built store, in a process of its own, as the daemon does it: batches of what 1,000 probes every
 * 5 s give in half a second, from virtual time. Plain JavaScript, so that nothing stands between Node and `dist/`.
 * Usage: storing-program.mjs HOME. Prints JSON: CPU per result of both threads in each repetition, and bytes per result.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../dist/store/open.js';

const PROBES = 1_000;
const BATCH = 100;
const BATCH_EVERY_MS = 500;
const BATCHES = 400;
const REPETITIONS = 3;
/** Real time between two batches: the worker falls asleep in between, as it does in the daemon. */
const PAUSE_MS = 10;

const home = process.argv[2];
const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const store = await openStore({ home, log, clock: { now: Date.now, monotonic: () => performance.now() } });
let seed = 42;
let stored = 0;
let at = Date.UTC(2026, 0, 1);

/** Numerical Recipes' linear congruential generator: the same sequence in every run. */
function random() {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}

function nextBatch() {
  at += BATCH_EVERY_MS;
  return Array.from({ length: BATCH }, () => ({
    probe: `probe-${stored++ % PROBES}`,
    ...{ at: at + Math.floor(random() * BATCH_EVERY_MS), latencyMs: 1 + 9 * random() },
    ...{ reason: 'ok', verdict: 'pass', revision: '0123456789abcdef', error: false },
    values: { status: 200, 'phases.connect_ms': random() },
  }));
}

async function repetition() {
  const before = process.cpuUsage();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await store.addResults(nextBatch());
    await sleep(PAUSE_MS);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (BATCHES * BATCH);
}

await repetition();
const cpuUs = [];
for (let count = 0; count < REPETITIONS; count += 1) cpuUs.push(await repetition());
await store.close();
const bytes = statSync(join(home, 'data/brainstem.db')).size / stored;
process.stdout.write(JSON.stringify({ cpuUs, bytes }));
