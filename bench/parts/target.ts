/** Starts what is probed, and asks it when it was. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** One request; `at` is wall clock, ms, with fractions. */
export interface Arrival {
  readonly path: string;
  readonly at: number;
}

export type ToTarget =
  /** Paths under /hangs/ are accepted and never answered. */
  | { readonly kind: 'hang'; readonly on: boolean }
  /** Names are answered after 5 s. */
  | { readonly kind: 'slow_names'; readonly on: boolean }
  | { readonly kind: 'take' };

export type FromTarget =
  | { readonly kind: 'ready'; readonly httpPort: number; readonly dnsPort: number }
  | { readonly kind: 'arrivals'; readonly arrivals: readonly Arrival[] };

export interface Target {
  /** `127.0.0.1:port` of the HTTP server. */
  readonly address: string;
  readonly httpPort: number;
  /** `127.0.0.1:port` of the name server. */
  readonly resolver: string;
  hang(on: boolean): void;
  slowNames(on: boolean): void;
  /** What arrived since the last call. */
  take(): Promise<readonly Arrival[]>;
  stop(): Promise<void>;
}

export async function startTarget(): Promise<Target> {
  const child = fork(join(import.meta.dirname, 'target-program.ts'), { execArgv: ['--import', 'jiti/register'] });
  const exited = once(child, 'exit');
  const next = async () => (await once(child, 'message'))[0] as FromTarget;
  const tell = (message: ToTarget) => void child.send(message);
  const ready = await Promise.race([next(), exited]);
  if (!('kind' in ready) || ready.kind !== 'ready') throw new Error('the target did not start');
  return {
    address: `127.0.0.1:${ready.httpPort}`,
    httpPort: ready.httpPort,
    resolver: `127.0.0.1:${ready.dnsPort}`,
    hang: (on) => tell({ kind: 'hang', on }),
    slowNames: (on) => tell({ kind: 'slow_names', on }),
    async take() {
      const answer = next();
      tell({ kind: 'take' });
      const message = await answer;
      return message.kind === 'arrivals' ? message.arrivals : [];
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
