/**
 * Ships the daemon's log to Papertrail, or whatever takes syslog, without ever waiting for it.
 *
 * Lines go into a bounded backlog and from there, a batch at a time, to a thread of their own; the next batch leaves when the
 * destination has taken the one before. So a destination that is dead or slow costs the backlog and no more. (pino's own
 * transports hand lines to their worker without such a bound, and wait for it when it does not follow.)
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Log } from '../ports.ts';
import { type Batch, createBacklog } from './backlog.ts';
import type { Destination, Order, Patience, Report, WorkerTask } from './protocol.ts';

export interface ShipperOptions {
  readonly destination: Destination;
  /** The process whose log it is. */
  readonly pid: number;
  onDropped(lines: number): void;
  readonly patience?: Patience;
}

export interface Shipper {
  /** Takes a line of JSON, from which every secret was removed. Never throws, never waits. */
  write(line: string): void;
  /** Begins to ship what was written so far, and tells `log` of its troubles. */
  start(log: Log): void;
  /** Ships what is left, for at most `withinMs`, and ends the thread. */
  stop(withinMs: number): Promise<void>;
}

const PATIENCE: Patience = { connectMs: 10_000, stallMs: 30_000, retryMs: 1_000, longestRetryMs: 15_000 };
const BACKLOG_BYTES = 4 * 1024 * 1024;
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 1 } as const;
const WORKER_PAUSE_MS = 10_000;

export function createShipper({ destination, pid, onDropped, patience = PATIENCE }: ShipperOptions): Shipper {
  const backlog = createBacklog({ maxBytes: BACKLOG_BYTES });
  const place = { host: destination.host, port: destination.port, protocol: destination.protocol };
  let log: Log | undefined;
  let worker: Worker | undefined;
  let restart: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;
  let underWay: Batch | undefined;
  /** Lost since the backlog was last empty. */
  let dropped = 0;
  let onEmpty: (() => void) | undefined;

  const order = (given: Order) => worker?.postMessage(given, given.kind === 'ship' ? [given.lines.buffer] : []);
  const left = () => backlog.size() + (underWay?.lines ?? 0);

  function send(): void {
    turn = undefined;
    if (!worker || underWay) return;
    underWay = backlog.take();
    if (underWay) order({ kind: 'ship', lines: underWay.bytes });
    else caughtUp();
  }

  function caughtUp(): void {
    const lines = dropped;
    dropped = 0;
    if (lines > 0) log?.info('log_shipping_caught_up', { lines_dropped: lines, ...place });
    onEmpty?.();
  }

  function drop(lines: number): void {
    if (lines === 0) return;
    const isFirst = dropped === 0;
    dropped += lines;
    onDropped(lines);
    if (isFirst) log?.warn('log_lines_dropped', { why: 'more is logged than can be shipped', ...place });
  }

  function hear(report: Report): void {
    if (report.kind === 'away') log?.warn('log_destination_away', { error: report.error, ...place });
    if (report.kind === 'back') log?.info('log_destination_back', place);
    if (report.kind === 'taken') {
      underWay = undefined;
      send();
    }
  }

  function startWorker(): void {
    worker = new Worker(createRequire(import.meta.url).resolve('#papertrail-worker'), {
      workerData: { destination, patience, pid } satisfies WorkerTask,
      resourceLimits: WORKER_LIMITS,
    });
    worker.on('message', hear);
    worker.on('error', workerFailed);
    send();
  }

  /** What it failed at is not tried again: it could be why. */
  function workerFailed(error: unknown): void {
    worker = undefined;
    log?.error('log_shipping_failed', { error, again_in_ms: WORKER_PAUSE_MS });
    drop(underWay?.lines ?? 0);
    underWay = undefined;
    restart = setTimeout(startWorker, WORKER_PAUSE_MS).unref();
  }

  async function drain(): Promise<void> {
    if (left() > 0) {
      await new Promise<void>((resolve) => {
        onEmpty = resolve;
      });
    }
    await new Promise<unknown>((resolve) => {
      worker?.once('exit', resolve);
      order({ kind: 'stop' });
    });
  }

  return {
    write(line) {
      drop(backlog.add(line));
      // What one turn of the loop logs travels together.
      if (worker && !underWay) turn ??= setImmediate(send);
    },
    start(given) {
      log = given;
      startWorker();
    },
    async stop(withinMs) {
      if (!log) return;
      let late: NodeJS.Timeout | undefined;
      const tooLate = new Promise<void>((resolve) => {
        late = setTimeout(resolve, withinMs);
      });
      await Promise.race([drain(), tooLate]);
      clearTimeout(late);
      clearTimeout(restart);
      clearImmediate(turn);
      if (left() > 0) log.warn('log_lines_not_shipped', { lines: left(), ...place });
      const ending = worker;
      worker = undefined;
      await ending?.terminate();
    },
  };
}
