/** A daemon of a cluster while another one is the brain: it probes nothing, says that it stands by, and waits for its turn. */
import { createStandbyExposition } from '../metrics/exposition.ts';
import type { Instruments } from '../metrics/instruments.ts';
import type { Settings } from '../model.ts';
import type { Clock, Log } from '../ports.ts';
import type { Server } from '../server/server.ts';
import { createStandbyServer } from '../server/standby.ts';
import type { Election, Standing } from '../store/postgres/election.ts';

export interface StandbyParts {
  readonly settings: Settings;
  readonly instruments: Instruments;
  readonly clock: Clock;
  readonly log: Log;
  redact(text: string): string;
  /** Aborts the waiting. */
  readonly signal: AbortSignal;
}

export interface Standby extends Election {
  /** Another daemon was the brain before this one. */
  stoodBy(): boolean;
  /** It is the brain now. */
  end(): Promise<void>;
  /** Stops listening. Idempotent. */
  close(): Promise<void>;
}

export function createStandby({ settings, instruments, clock, log, redact, signal }: StandbyParts): Standby {
  const { meter } = instruments;
  const began = clock.monotonic();
  let standing: Standing | undefined;
  let server: Server | undefined;

  async function listen(): Promise<Server> {
    const { host, port, token, publicUrl } = settings.http;
    return createStandbyServer({
      ...{ listen: { host, port }, publicUrl, log, redact, why: () => standing?.why ?? '' },
      ...(token !== undefined && { token }),
      metrics: createStandbyExposition({ instruments, clock }),
    });
  }

  async function close(): Promise<void> {
    const closing = server;
    server = undefined;
    await closing?.close();
  }

  return {
    signal,
    stoodBy: () => standing !== undefined,
    async onStandby(now) {
      const isNews = now.why !== standing?.why;
      standing = now;
      meter.brain(false);
      meter.storeUp(now.reached);
      server ??= await listen();
      if (isNews) log.info('standing_by', { ...now });
    },
    async end() {
      await close();
      meter.brain(true);
      meter.storeUp(true);
      log.info('elected', { waited_ms: Math.round(clock.monotonic() - began) });
    },
    close,
  };
}
