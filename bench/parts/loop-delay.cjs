/**
 * Required by the daemon under measurement: how long its event loop was blocked, as Node's own histogram has it. Written to
 * the file that LOOP_DELAY_FILE names when the process ends, in ms; each SIGUSR2 begins anew.
 */
const { writeFileSync } = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { isMainThread } = require('node:worker_threads');

const RESOLUTION_MS = 10;

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  process.on('SIGUSR2', () => delay.reset());
  process.on('exit', () => {
    // What is recorded is the time between two beats, of which one lasts `resolution` by itself.
    const blockedMs = (percentile) => Math.max(0, delay.percentile(percentile) / 1e6 - RESOLUTION_MS);
    writeFileSync(
      process.env.LOOP_DELAY_FILE,
      JSON.stringify({ p999: blockedMs(99.9), p99: blockedMs(99), beats: delay.count }),
    );
  });
}
