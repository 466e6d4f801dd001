/** The HTTP side of a daemon that works: pages, API, pings and metrics. */
import { createExposition } from '../metrics/exposition.ts';
import type { Instruments } from '../metrics/instruments.ts';
import { renderOnDemand } from '../metrics/on-demand.ts';
import type { Settings } from '../model.ts';
import type { Clock, Log, OnDemandRequest } from '../ports.ts';
import { registries } from '../registries.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createServer, type Server } from '../server/server.ts';

export interface ListeningParts {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly instruments: Instruments;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  redact(text: string): string;
}

/** Rejects with the system's error (EADDRINUSE, EACCES) when it cannot listen. */
export async function listen(parts: ListeningParts): Promise<Server> {
  const { settings, runtime, instruments, clock, log, version, redact } = parts;
  const { views, commands, store } = runtime;
  const { host, port, token, publicUrl } = settings.http;
  const series = { probeTypes: registries.probeTypes, clock, log, redact };
  const metrics = createExposition({ ...series, views, instruments });
  const onDemand = {
    async probe(request: OnDemandRequest) {
      // With a token, whoever got this far has shown it.
      const run = await runtime.onDemand(request, { hasToken: token !== undefined });
      return { run, ...renderOnDemand(run, series) };
    },
  };
  const server = await createServer({
    ...{ views, commands, store, metrics, onDemand, clock, log, publicUrl, version, redact, listen: { host, port } },
    ...(token !== undefined && { token }),
  });
  runtime.listening();
  return server;
}

/** Where it can be reached. */
export function urlOf({ address: { host, port } }: Server): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
