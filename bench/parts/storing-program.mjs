/**
 * Stores results with the built store, in a process of its own, as the daemon does it: batches of what 1,000 probes every
 * 5 s give in a second, from virtual time. Plain JavaScript, so that nothing stands between Node and `dist/`.
 * Usage: storing-program.mjs HOME [URL]. Prints JSON: CPU per result of this process and of PostgreSQL's server process in each
 * repetition, and bytes per result.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openStore } from '../../dist/store/open.js';

const PROBES = 1_000;
const BATCH = 200;
const BATCH_EVERY_MS = 1_000;
const BATCHES = 200;
const REPETITIONS = 3;
/** Real time between two batches: the worker falls asleep in between, as it does in the daemon. */
const PAUSE_MS = 10;

const [, , home, url] = process.argv;
const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const clock = { now: Date.now, monotonic: () => performance.now() };
const store = await openStore({ home, log, clock, ...(url && { url }) });
const backend = url && (await backendOf());
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

async function ask(text) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows[0];
}

/** The process that serves the store, in nanoseconds of the scheduler: ticks of 10 ms are too coarse. */
async function backendOf() {
  const { pid } = await ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'brainstem'");
  return () => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
}

async function repetition() {
  const before = process.cpuUsage();
  const serverBefore = backend ? backend() : 0;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await store.addResults(nextBatch());
    await sleep(PAUSE_MS);
  }
  const { user, system } = process.cpuUsage(before);
  const results = BATCHES * BATCH;
  return { client: (user + system) / results, server: backend ? (backend() - serverBefore) / results : 0 };
}

async function bytesStored() {
  if (!url) return statSync(join(home, 'data/brainstem.db')).size;
  const tables = "SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class WHERE relname ~ '^results_[0-9]+$'";
  return Number((await ask(tables)).bytes);
}

await repetition();
const cpuUs = [];
for (let count = 0; count < REPETITIONS; count += 1) cpuUs.push(await repetition());
await store.close();
process.stdout.write(JSON.stringify({ cpuUs, bytes: (await bytesStored()) / stored }));
