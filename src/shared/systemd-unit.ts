/** What systemd says of a unit now, and whether a person's hand is why it does not run. */
import type { Intervention } from '../model.ts';
import { type Call, callSystemctl, type Manager, type ManagerFault, managerFault } from './systemd-manager.ts';

/** A unit as `systemctl show` tells it, in our units. What the unit's type does not have is undefined. */
export interface Unit {
  /** Its full name, whatever alias was asked for. */
  readonly id: string;
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error` … */
  readonly load: string;
  readonly loadError: string;
  /** `active`, `reloading`, `inactive`, `failed`, `activating` or `deactivating`. */
  readonly active: string;
  readonly sub: string;
  /** `success`, `exit-code`, `signal`, `core-dump`, `timeout`, `watchdog`, `oom-kill` … */
  readonly result: string;
  /** Of a service: `simple`, `notify`, `oneshot` … */
  readonly type: string;
  /** Its policy: `no`, `on-failure`, `always` … */
  readonly restart: string;
  readonly remainsAfterExit: boolean;
  readonly restarts: number | undefined;
  readonly mainPid: number | undefined;
  /** Of its last main process; 128 + n after a signal. */
  readonly exitCode: number | undefined;
  readonly cpuNs: number | undefined;
  readonly memoryBytes: number | undefined;
  /** ms since the epoch, by seconds; undefined: never, or in a time zone that we cannot read. */
  readonly changedAt: number | undefined;
  readonly inactiveSince: number | undefined;
}

const PROPERTIES = [
  ...['Id', 'LoadState', 'LoadError', 'ActiveState', 'SubState', 'Result', 'Type', 'Restart', 'RemainAfterExit'],
  ...['NRestarts', 'MainPID', 'ExecMainCode', 'ExecMainStatus', 'CPUUsageNSec', 'MemoryCurrent'],
  ...['StateChangeTimestamp', 'InactiveEnterTimestamp'],
];

/** Shorter than an act's: asking has nothing to clean up. */
const GRACE_MS = 500;

/** `fault`: systemd did not answer, or what answered is not systemd. */
export type Shown =
  | { readonly kind: 'unit'; readonly unit: Unit }
  | { readonly kind: 'fault'; readonly fault: ManagerFault };

export async function showUnit(manager: Manager, name: string, call: Omit<Call, 'graceMs'>): Promise<Shown> {
  const args = ['show', `--property=${PROPERTIES.join(',')}`, '--', name];
  const result = await callSystemctl(manager, args, { ...call, graceMs: GRACE_MS });
  const fault = managerFault(result);
  if (fault || result.kind !== 'exited') return { kind: 'fault', fault: fault ?? NO_SYSTEMD };
  const unit = parseUnit(result.stdout.text);
  return unit ? { kind: 'unit', unit } : { kind: 'fault', fault: NO_SYSTEMD };
}

const NO_SYSTEMD: ManagerFault = { reason: 'protocol', error: 'what answers is not systemctl' };

/** undefined: a state is missing. */
export function parseUnit(text: string): Unit | undefined {
  const pairs = text
    .split('\n')
    .map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)] as const);
  const properties = new Map(pairs);
  const word = (name: string) => properties.get(name) ?? '';
  const number = (name: string) => numberOf(properties.get(name));
  if (word('LoadState') === '' || word('ActiveState') === '') return undefined;
  return {
    id: word('Id'),
    load: word('LoadState'),
    loadError: /"(.*)"/.exec(word('LoadError'))?.[1] ?? '',
    active: word('ActiveState'),
    sub: word('SubState'),
    result: word('Result'),
    type: word('Type'),
    restart: word('Restart'),
    remainsAfterExit: word('RemainAfterExit') === 'yes',
    restarts: number('NRestarts'),
    mainPid: number('MainPID') || undefined,
    exitCode: exitCodeOf(number('ExecMainCode'), number('ExecMainStatus')),
    cpuNs: number('CPUUsageNSec'),
    memoryBytes: number('MemoryCurrent'),
    changedAt: timeOf(word('StateChangeTimestamp')),
    inactiveSince: timeOf(word('InactiveEnterTimestamp')),
  };
}

/** Without accounting it says `[not set]`, or the greatest number of 64 bits. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const number = Number(text);
  return number < 2 ** 63 ? number : undefined;
}

/** waitid(2): 1 it exited, 2 a signal ended it, 3 it dumped core; 0: there was no process. */
function exitCodeOf(code: number | undefined, status: number | undefined): number | undefined {
  if (!code || status === undefined) return undefined;
  return code === 1 ? status : 128 + status;
}

/** `Sat 2026-11-28 07:14:57 UTC`; of another zone we do not know the offset. */
function timeOf(text: string): number | undefined {
  const [, moment] = /^\w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC$/.exec(text) ?? [];
  return moment === undefined ? undefined : Date.parse(`${moment.replace(' ', 'T')}Z`);
}

/** A job: when it does not run and has not failed, all is well. */
export function isIdleJob({ active, type, remainsAfterExit, result }: Unit): boolean {
  return type === 'oneshot' && !remainsAfterExit && active === 'inactive' && result === 'success';
}

/**
 * A person's hand, certain or possible. systemd does not say who stopped a unit: certain is only what it would have started
 * again by itself.
 */
export function interventionOf(unit: Unit, now: number): Intervention | undefined {
  const { id, load, active, inactiveSince } = unit;
  const at = inactiveSince ?? now;
  if (load === 'masked') return { certain: true, at, what: `systemctl mask of ${id}` };
  if (load !== 'loaded' || isIdleJob(unit)) return undefined;
  if (active === 'deactivating') return { certain: false, at: now, what: `${id} is being stopped` };
  if (active === 'inactive') return ofInactive(unit, at);
  if (active !== 'failed' || unit.restarts !== 0 || !isRestartedAfter(unit)) return undefined;
  return { certain: false, at, what: `${id} failed and was not started again, as if somebody had stopped it` };
}

function ofInactive({ id, restart, inactiveSince }: Unit, at: number): Intervention {
  // What is neither enabled nor needed by another unit is forgotten as soon as it does not run.
  if (inactiveSince === undefined) return { certain: false, at, what: `${id} was never started, or systemd forgot it` };
  if (restart === 'always') return { certain: true, at, what: `systemctl stop of ${id}` };
  return { certain: false, at, what: `${id} ended, and systemd does not say whether somebody stopped it` };
}

/** Its policy starts it again after an end of this kind (systemd.service, table 2). */
function isRestartedAfter({ restart, result }: Unit): boolean {
  if (restart === 'always' || restart === 'on-failure') return true;
  return restart === 'on-abnormal' && result !== 'exit-code';
}
