/**
 * Many runs of every probe type leave nothing behind: neither descriptors nor timers nor children, and no memory that adds up.
 * What is run is the type's example. `npm run campaign` does the same a thousand times.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { probeTypes } from '../../src/probe-types/index.ts';
import { runOnce, stageExample } from '../estate/examples/example.ts';
import { growth, type Length, type Soaked, soak } from '../estate/soak.ts';

const MANY: Length = { first: 100, last: 250, atOnce: 10 };
const SOME: Length = { first: 30, last: 60, atOnce: 10 };
const FEW: Length = { first: 10, last: 20, atOnce: 5 };

/** What starts a program for each run, or asks a slow server, has fewer. Default: many. */
const LENGTHS: Readonly<Record<string, Length>> = {
  browser: { first: 1, last: 3, atOnce: 1 },
  // Runs of one definition share the mailbox into which workers answer: they never overlap.
  celery: { ...FEW, atOnce: 1 },
  docker: SOME,
  exec: { first: 50, last: 200, atOnce: 10 },
  host: SOME,
  icmp: FEW,
  mysql: SOME,
  postgres: SOME,
  process: FEW,
  'selenium-grid': { first: 5, last: 30, atOnce: 5 },
  tls: SOME,
};

/** Types whose own tests let them run a thousand times and count what is left; every other one runs here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  credential: 'credential',
  http: 'steps-leaks',
  mqtt: 'mqtt',
  nats: 'nats',
  rabbitmq: 'rabbitmq',
  statuspage: 'statuspage',
  supervisor: 'supervisor',
  systemd: 'systemd',
  tcp: 'steps-leaks',
  udp: 'udp',
  websocket: 'websocket',
};

const SLOW_MS = 200_000;

test('every type runs here or elsewhere, and none in both places', () => {
  const here = Object.keys(probeTypes).filter((type) => !(type in ELSEWHERE));
  expect([...here, ...Object.keys(ELSEWHERE)].sort()).toEqual(Object.keys(probeTypes).sort());
  expect(here).toEqual(expect.arrayContaining(Object.keys(LENGTHS)));
});

test.each(Object.entries(ELSEWHERE))('%s is counted in %s.test.ts', async (type, name) => {
  const text = await readFile(join(import.meta.dirname, `${name}.test.ts`), 'utf8');
  expect(text).toContain(`/probe-types/${type}.ts'`);
  expect(text).toMatch(/await leavesNothing\(/);
  expect(text).toMatch(/await (doesNotGrow|heapStays)\(/);
});

for (const type of Object.keys(probeTypes).filter((one) => !(one in ELSEWHERE))) {
  // dockerd needs root.
  const run = test.skipIf(type === 'docker' && process.getuid?.() !== 0);
  run(`${type} leaves nothing behind`, { timeout: SLOW_MS }, async () => {
    const example = await stageExample(type);
    onTestFinished(example.close, SLOW_MS);
    const soaked = await soak(() => runOnce(example), LENGTHS[type] ?? MANY);
    expect(growth(soaked)).toEqual([]);
  });
}

test('what is left behind is found', async () => {
  const kept: unknown[] = [];
  const timers: NodeJS.Timeout[] = [];
  onTestFinished(() => {
    for (const timer of timers) clearInterval(timer);
  });
  const leaky = async () => {
    kept.push(new Array(100_000).fill(kept.length));
    timers.push(setInterval(() => undefined, 60_000));
  };
  const soaked: Soaked = await soak(leaky, { first: 2, last: 6, atOnce: 2 });
  expect(growth(soaked)).toEqual([expect.stringMatching(/^handles: /), expect.stringMatching(/^heap: /)]);
});
