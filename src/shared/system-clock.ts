/** The clock of a process of its own, which nobody hands one in. */
import { performance } from 'node:perf_hooks';

export const systemClock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  monotonic: () => performance.now(),
};
