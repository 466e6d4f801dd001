/** A program of supervisord: where it is asked for, what is said of it, and whether a person's hand is why it does not run. */
import { z } from 'zod';
import type { Intervention } from '../model.ts';
import type { XmlRpcValue } from './xml-rpc.ts';

/** Where supervisord listens: a unix socket, or a URL whose path ends in `/RPC2`. */
export type SupervisorAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'http'; readonly url: URL };

/** undefined: it is no address. */
export function parseAddress(text: string): SupervisorAddress | undefined {
  const path = text.replace(/^unix:\/\//, '');
  if (path.startsWith('/')) return { kind: 'unix', path };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' || url.search !== '' || url.hash !== '') return undefined;
  if (!url.pathname.endsWith('/RPC2')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/RPC2`;
  return { kind: 'http', url };
}

export function supervisorUrl() {
  return z
    .string()
    .refine((text) => parseAddress(text) !== undefined, 'is not a supervisord: write http://host:9001 or unix:///path')
    .describe('Where supervisord listens: http://host:port, or unix:///path/to/supervisor.sock');
}

/** `/run/supervisor.sock` or `host:port`, without userinfo: for locks, labels and messages. */
export function describeAddress(text: string): string {
  const address = parseAddress(text);
  return address?.kind === 'unix' ? address.path : (address?.url.host ?? text);
}

/** Without userinfo, as an action finds its way with it: credentials are its own. */
export function plainAddress(text: string): string {
  const address = parseAddress(text);
  return address?.kind === 'http'
    ? `http://${address.url.host}${address.url.pathname}`
    : `unix://${address?.path ?? ''}`;
}

/** One program. Never `group:*`, which means all of a group. */
export function programName() {
  return z
    .string()
    .regex(/^[^\s:*]{1,200}(?::[^\s:*]{1,200})?$/, 'is not the name of one program: write program, or group:program')
    .describe('Name of a program; of one in a group, group:program');
}

export const STATES = {
  STOPPED: 0,
  STARTING: 10,
  RUNNING: 20,
  BACKOFF: 30,
  STOPPING: 40,
  EXITED: 100,
  FATAL: 200,
} as const;

const INFO = z.object({
  state: z.number(),
  statename: z.string(),
  /** Seconds since the epoch, 0: never; `now` by the clock of supervisord. */
  start: z.number(),
  stop: z.number(),
  now: z.number(),
  exitstatus: z.number(),
  spawnerr: z.string(),
  pid: z.number(),
});

/** What `supervisor.getProcessInfo` says (http://supervisord.org/api.html). */
export type ProgramInfo = z.output<typeof INFO>;

/** undefined: it is something else. */
export function readInfo(value: XmlRpcValue): ProgramInfo | undefined {
  return INFO.safeParse(value).data;
}

/** supervisord stops a program only when it is told to: what ends by itself has exited. */
export function interventionOf(name: string, { state, start, stop, now }: ProgramInfo): Intervention | undefined {
  if (state === STATES.STOPPING) return { certain: true, at: now * 1_000, what: `supervisorctl stop of ${name}` };
  if (state !== STATES.STOPPED) return undefined;
  if (start === 0) return { certain: false, at: now * 1_000, what: `${name} was never started` };
  return { certain: true, at: (stop || now) * 1_000, what: `supervisorctl stop of ${name}` };
}

/** Fault codes that we tell apart. */
export const FAULTS = { SHUTDOWN_STATE: 6, BAD_NAME: 10, ALREADY_STARTED: 60, NOT_RUNNING: 70 } as const;
