/** Whoever expects the watchdog's pings, as Healthchecks does: a real HTTP server that counts them. */
import { createServer } from 'node:http';
import { applyFault, type ChannelFault, close, createFaultSwitch, listen } from './faults.ts';

export interface DeadMan {
  /** With a made-up key in its path, which is a secret. */
  readonly url: string;
  readonly key: string;
  /** When each ping was taken, ms since the epoch. */
  pings(): readonly number[];
  /** Everything that arrived, as method and path, taken or not. */
  requests(): readonly string[];
  fail(fault: ChannelFault | undefined): void;
  close(): Promise<void>;
}

export async function startDeadMan(): Promise<DeadMan> {
  const key = ['check', Math.random().toString(36).slice(2), 'key'].join('-');
  const faults = createFaultSwitch();
  const pings: number[] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (applyFault(faults.take(), request, response)) return;
    pings.push(Date.now());
    response.end('OK');
  });
  const port = await listen(server);
  return {
    ...{ url: `http://127.0.0.1:${port}/${key}`, key },
    pings: () => pings,
    requests: () => requests,
    fail: faults.set,
    close: () => close(server),
  };
}
