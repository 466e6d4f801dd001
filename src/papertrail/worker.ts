/** The thread that formats, encrypts and sends what the daemon logs, so that the daemon's own thread does not. */
import { parentPort, workerData } from 'node:worker_threads';
import { open } from './connection.ts';
import { createDelivery } from './delivery.ts';
import type { Order, Report, WorkerTask } from './protocol.ts';
import { createFormat } from './syslog.ts';

const { destination, patience, pid } = workerData as WorkerTask;
const report = (said: Report) => parentPort?.postMessage(said);
const delivery = createDelivery({
  ...{ patience, report, format: createFormat(destination, pid) },
  open: () => open(destination, patience),
});

async function carryOut(order: Order): Promise<void> {
  if (order.kind === 'ship') {
    await delivery.deliver(order.lines);
    report({ kind: 'taken' });
  } else {
    parentPort?.close();
    await delivery.end();
  }
}

// An order that cannot be carried out ends this thread: the daemon hears of it, and starts another.
parentPort?.on('message', carryOut);
