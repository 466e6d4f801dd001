/** What many runs of a probe leave behind in this process: nothing. */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'vitest';
import { sleep } from './hostile-network.ts';

const RUNS = 300;
const AT_ONCE = 100;

/** Descriptors and handles after many runs are those after a few. */
export async function leavesNothing(run: () => Promise<void>, runs = RUNS, atOnce = AT_ONCE): Promise<void> {
  const batch = (count: number) => Promise.all(Array.from({ length: count }, run));
  await batch(atOnce);
  const before = await settled(() => true);
  for (let done = 0; done < runs; done += atOnce) await batch(atOnce);
  const after = await settled((now) => now.descriptors <= before.descriptors && now.handles <= before.handles);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
  expect(after.handles).toBeLessThanOrEqual(before.handles);
}

/** Waits until closing is done: our own servers notice it a little later. */
async function settled(enough: (now: { descriptors: number; handles: number }) => boolean) {
  await sleep(100);
  for (let round = 0; ; round += 1) {
    const descriptors = readdirSync('/proc/self/fd').length;
    const now = { descriptors, handles: process.getActiveResourcesInfo().length };
    if (round === 50 || enough(now)) return now;
    await sleep(100);
  }
}

/** The heap after 1,000 runs is that after 200, but for a megabyte. */
export async function doesNotGrow(run: () => Promise<void>, atOnce = 20): Promise<void> {
  const batches = async (runs: number) => {
    for (let done = 0; done < runs; done += atOnce) await Promise.all(Array.from({ length: atOnce }, run));
  };
  await batches(200);
  const before = await heapBytes();
  await batches(800);
  expect((await heapBytes()) - before).toBeLessThan(2 ** 20);
}

async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What is freed by finalizers goes with the next collection.
  for (let round = 0; round < 3; round += 1) {
    await sleep(100);
    collect();
  }
  return process.memoryUsage().heapUsed;
}
