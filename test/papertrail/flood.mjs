/**
 * A process that logs much, as fast as a busy daemon at its worst, and tells what that cost it: `node flood.mjs PROTOCOL PORT`.
 * With the port 0 nothing is shipped, for comparison.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { createLog } from '../../dist/log.js';
import { createShipper } from '../../dist/papertrail/shipper.js';
import { createRedactor } from '../../dist/redact.js';

const LINES = 200_000;
const LINES_A_TURN = 100;
const [protocol, port] = process.argv.slice(2);

let dropped = 0;
const shipper =
  port === '0'
    ? undefined
    : createShipper({
        destination: { host: '127.0.0.1', port: Number(port), protocol, program: 'flood', hostname: 'test' },
        pid: process.pid,
        onDropped: (lines) => {
          dropped += lines;
        },
      });
const log = createLog({
  ...{ level: 'info', pretty: false, redactor: createRedactor(), destination: { write() {} } },
  ...(shipper && { shipper }),
});

function flood(lines) {
  for (let index = 0; index < lines; index++)
    log.info('probe_failed', { index, probe: `probe-${index % 1_000}`, error: 'connection refused '.repeat(5) });
}

/** What the code and the thread themselves take is no cost of the flood. */
async function warmUp() {
  for (let turn = 0; turn < 20; turn++) {
    flood(LINES_A_TURN);
    await nextTurn();
  }
}

const alone = process.memoryUsage.rss();
shipper?.start(log);
await warmUp();
await pause(500);
const before = process.memoryUsage.rss();
const started = performance.now();
let longestTurnMs = 0;
let peakBytes = 0;
for (let turn = 0; turn < LINES / LINES_A_TURN; turn++) {
  const begun = performance.now();
  flood(LINES_A_TURN);
  await nextTurn();
  longestTurnMs = Math.max(longestTurnMs, performance.now() - begun);
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}
const tookMs = performance.now() - started;
const stopping = performance.now();
await shipper?.stop(5_000);
const stopMs = performance.now() - stopping;
const figures = { tookMs, longestTurnMs, threadBytes: before - alone, grownBytes: peakBytes - before, dropped, stopMs };
process.stdout.write(`${JSON.stringify(figures)}\n`);
