/** What many runs of a probe leave on the heap: nothing that adds up. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'vitest';

const WARM_UP_RUNS = 200;
const RUNS = 800;
const AT_ONCE = 20;
const MAX_GROWTH_BYTES = 2 ** 20;

/** Live bytes grow by less than 1 MiB between run 200 and run 1,000. */
export async function heapStays(run: () => Promise<void>): Promise<void> {
  const collect = garbageCollector();
  const batches = async (runs: number) => {
    for (let done = 0; done < runs; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, run));
  };
  const live = async () => {
    // What closes in the background has closed by then.
    await new Promise((resolve) => setTimeout(resolve, 200));
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  await batches(WARM_UP_RUNS);
  const before = await live();
  await batches(RUNS);
  expect((await live()) - before).toBeLessThan(MAX_GROWTH_BYTES);
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
