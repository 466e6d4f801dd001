/**
 * The way to a systemd: the `systemctl` that speaks to it, as a child without a shell, and what its failures mean.
 * https://www.freedesktop.org/software/systemd/man/latest/systemctl.html
 */
import { userInfo } from 'node:os';
import { z } from 'zod';
import { RetryableError } from '../errors.ts';
import type { Reason } from '../model.ts';
import type { Context } from '../ports.ts';
import { childEnvironment } from './child-environment.ts';
import { type ChildOptions, type ChildResult, runChild } from './child-process.ts';
import { argvOption } from './command-options.ts';

export interface Manager {
  readonly systemctl: readonly [string, ...string[]];
  /** The manager of the user that Brainstem runs as, not that of the system. */
  readonly user: boolean;
}

const UNIT = /^[A-Za-z0-9:_.\\@-]{1,255}$/;
const TYPES = 'service|socket|device|mount|automount|swap|target|path|timer|slice|scope';
const TYPED = new RegExp(`\\.(?:${TYPES})$`);

/** One unit. Never a pattern: an asterisk would come to mean "all". `web` is `web.service`, as systemctl reads it. */
export function unitName() {
  return z
    .string()
    .regex(UNIT, 'is not the name of one unit: letters, digits and : _ . \\ @ - only')
    .transform((text) => (TYPED.test(text) ? text : `${text}.service`))
    .meta({ description: 'Name of a unit; without a type it is a service' });
}

export function managerOptions() {
  return {
    user: z.boolean().default(false).describe('A unit of the user that Brainstem runs as, not of the system'),
    systemctl: argvOption()
      .default(['systemctl'])
      .describe(
        'The systemctl to run, words that stand before it included: ["ssh", "host", "env", "TZ=UTC", "systemctl"]',
      ),
  };
}

/** What stands before the arguments, where it is not the plain `systemctl` of this machine: for locks and labels. */
export function describeManager({ systemctl, user }: Manager): string {
  const words = systemctl.length === 1 && systemctl[0] === 'systemctl' ? [] : systemctl;
  return [...words, ...(user ? ['--user'] : [])].join(' ');
}

/** As text that `parseManager` reads back: where an observed unit lives. */
export function printManager({ systemctl, user }: Manager): string {
  return JSON.stringify({ systemctl, user });
}

const MANAGER = z.object({ systemctl: z.tuple([z.string()], z.string()), user: z.boolean() });

export function parseManager(text: string): Manager {
  return MANAGER.parse(JSON.parse(text));
}

/** A unit is shown by a few hundred bytes; a status with its last lines by some KiB. */
const KEPT_BYTES = 32 * 1024;

export interface Call {
  readonly folder: string;
  readonly context: Context;
  readonly graceMs?: number;
  /** Awaited before it can do anything. */
  onStart?: ChildOptions['onStart'];
}

/** Runs one systemctl. Its texts are English, and its times UTC. */
export function callSystemctl(
  { systemctl, user }: Manager,
  args: readonly string[],
  { folder, context, graceMs, onStart }: Call,
): Promise<ChildResult> {
  const [program, ...words] = systemctl;
  const session = user ? { XDG_RUNTIME_DIR: `/run/user/${userInfo().uid}` } : {};
  return runChild({
    argv: [program, ...words, ...(user ? ['--user'] : []), '--no-pager', '--no-ask-password', ...args],
    cwd: folder,
    env: childEnvironment(context.environment ?? {}, { LC_ALL: 'C', TZ: 'UTC', ...session }),
    signal: context.signal,
    ...{ headBytes: KEPT_BYTES, tailBytes: KEPT_BYTES },
    ...(graceMs !== undefined && { graceMs }),
    ...(onStart && { onStart }),
  });
}

export interface ManagerFault {
  readonly reason: Reason;
  readonly error: string;
}

/** What keeps a child from starting and is our own want. */
const OWN_TROUBLE: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM']);
/** What shells, env and nsenter answer when the program they are to run is not there. */
const NO_PROGRAM: ReadonlySet<number> = new Set([126, 127]);

/** Why systemd did not answer, which says nothing about any unit; undefined: it did. */
export function managerFault(result: ChildResult): ManagerFault | undefined {
  if (result.kind === 'killed') return { reason: 'timeout', error: 'systemd did not answer before the deadline' };
  if (result.kind === 'not_started') {
    if (OWN_TROUBLE.has(result.code)) throw new RetryableError('out_of_resources', result.error);
    const reason = result.code === 'aborted' ? 'timeout' : 'internal';
    return { reason, error: result.error };
  }
  if (result.exitCode === 0) return undefined;
  const said = result.stderr.text.trim() || result.stdout.text.trim() || `exit code ${result.exitCode}`;
  const reason = result.signal || NO_PROGRAM.has(result.exitCode) ? 'internal' : 'unreachable';
  return { reason, error: `systemd could not be asked: ${said}` };
}
