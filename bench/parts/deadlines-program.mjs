/**
 * How late runs end after their deadline, as the daemon's runner has them, when nobody ever answers. All types at once, each in
 * a few lanes at phases of their own; beside them bare timers of the same length, which are what Node itself can do just then.
 * Plain JavaScript on `dist/`. Usage: deadlines-program.mjs SUBJECTS, JSON: a type and a spec each. Prints a line of JSON a
 * repetition: for each of them, and the bare timers last, milliseconds of lateness.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { probeTypes } from '../../dist/probe-types/index.js';
import { createRunner } from '../../dist/runtime/runner.js';

const REPETITIONS = 5;
const LANES = 4;
const RUNS = 50;
const TIMEOUT_MS = 250;

const log = {
  debug() {},
  info() {},
  warn() {},
  error: (event, fields) => console.error(event, fields),
  child: () => log,
};
const run = createRunner({
  probeTypes,
  log,
  clock: { now: Date.now, monotonic: () => performance.now() },
  stalls: { since: () => undefined },
  heartbeat: () => Promise.reject(new Error('nothing here has a heartbeat')),
  environment: {},
  home: () => process.cwd(),
  redact: (text) => text,
  onScarce(error) {
    throw error;
  },
  stopping: new AbortController().signal,
});

function probe({ type, spec }) {
  const conditions = { expect: [], warn: [], remediate: [], exportFields: [] };
  const definition = {
    name: type,
    type,
    spec: probeTypes[type].spec.parse(spec),
    timeoutMs: TIMEOUT_MS,
    ...conditions,
  };
  return async () => {
    const { reason, error } = await run({ ...definition, location: { file: 'bench.yaml' } });
    if (reason !== 'timeout') throw new Error(`${type}: ${reason}: ${error}`);
  };
}

async function lane(once) {
  await sleep(Math.random() * TIMEOUT_MS);
  const late = [];
  for (let count = 0; count < RUNS; count += 1) {
    const began = performance.now();
    await once();
    late.push(performance.now() - began - TIMEOUT_MS);
  }
  return late;
}

const probes = JSON.parse(process.argv[2]).map(probe);
// Drivers are loaded at the first run.
for (const once of probes) await once();
for (let repetition = 1; repetition <= REPETITIONS; repetition += 1) {
  const all = [...probes, () => sleep(TIMEOUT_MS)].map(async (once) =>
    (await Promise.all(Array.from({ length: LANES }, () => lane(once)))).flat(),
  );
  process.stdout.write(`${JSON.stringify(await Promise.all(all))}\n`);
}
process.exit(0);
