/** Whether hundreds of runs leave something behind. */
import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { sleep } from './hostile-network.ts';

const RUNS = 300;

/** Descriptors and handles after many runs are those after a few. */
export async function leavesNothing(run: () => Promise<void>, atOnce = 100): Promise<void> {
  const batch = (count: number) => Promise.all(Array.from({ length: count }, run));
  await batch(atOnce);
  const before = await settled(() => true);
  for (let done = 0; done < RUNS; done += atOnce) await batch(atOnce);
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
