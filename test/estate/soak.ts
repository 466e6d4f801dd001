/** What many runs leave behind in this process, counted: descriptors, timers and handles, children, bytes on the heap. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Counted after `first` runs, and after `last`. */
export interface Length {
  readonly first: number;
  readonly last: number;
  readonly atOnce: number;
}

export interface Count {
  readonly descriptors: number;
  /** Timers, and whatever else would keep the process alive. */
  readonly handles: number;
  readonly children: number;
  readonly heapBytes: number;
}

export interface Soaked {
  readonly before: Count;
  readonly after: Count;
  readonly durationMs: number;
}

/** Things that close in the background get so many rounds of 100 ms. */
const ROUNDS = 50;

export async function soak(run: () => Promise<void>, { first, last, atOnce }: Length): Promise<Soaked> {
  const began = performance.now();
  const batches = async (runs: number) => {
    for (let left = runs; left > 0; left -= atOnce) {
      await Promise.all(Array.from({ length: Math.min(left, atOnce) }, run));
    }
  };
  await batches(first);
  const before = await settled();
  await batches(last - first);
  const after = await settled(before);
  return { before, after, durationMs: performance.now() - began };
}

/** What grew, in words; empty when nothing did. The heap may grow by less than a mebibyte. */
export function growth({ before, after }: Soaked): readonly string[] {
  const grown = (['descriptors', 'handles', 'children'] as const).filter((what) => after[what] > before[what]);
  const heapBytes = after.heapBytes - before.heapBytes;
  return [
    ...grown.map((what) => `${what}: ${before[what]}, then ${after[what]}`),
    ...(heapBytes < 2 ** 20 ? [] : [`heap: ${heapBytes} bytes more`]),
  ];
}

/** Waits until it is quiet, or as quiet as it was. */
async function settled(than?: Count): Promise<Count> {
  let last = await count();
  for (let round = 0; round < ROUNDS; round += 1) {
    await sleep(100);
    const now = await count();
    const isQuiet = than
      ? now.descriptors <= than.descriptors && now.handles <= than.handles && now.children <= than.children
      : now.descriptors === last.descriptors && now.handles === last.handles && now.children === last.children;
    last = now;
    if (isQuiet) break;
  }
  return { ...last, heapBytes: await heapBytes() };
}

async function count(): Promise<Count> {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    handles: process.getActiveResourcesInfo().length,
    children: readdirSync('/proc/self/task').flatMap(childrenOf).length,
    heapBytes: 0,
  };
}

function childrenOf(thread: string): readonly string[] {
  return readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean);
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
