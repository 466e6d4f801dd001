/**
 * The processes of this machine as `/proc` shows them (proc(5)). Where there is no `/proc`, the table is empty.
 * Reads are synchronous: they never touch a disk, and a consistent picture matters more than a millisecond.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from '../errors.ts';

/** A process for as long as it lives: a process id alone is recycled, together with its start time it is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time, in clock ticks since boot. 0 where there is no `/proc`. */
  readonly startTicks: number;
}

export interface ProcessEntry extends ProcessIdentity {
  /** One letter of proc(5): `R`, `S`, `D`, `T`, `Z` … */
  readonly state: string;
  readonly parentPid: number;
  readonly groupId: number;
  readonly sessionId: number;
}

/** undefined: there is no such process. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const stat = unlessGone(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat === undefined ? undefined : parseStat(stat);
}

export function listProcesses(): readonly ProcessEntry[] {
  const entries = (unlessGone(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name));
  return entries.map((name) => readProcess(Number(name))).filter((entry) => entry !== undefined);
}

/** A zombie is dead; only its parent has not looked yet. */
export function isAlive(entry: ProcessEntry): boolean {
  return entry.state !== 'Z' && entry.state !== 'X';
}

/** The variable as the process got it when it was started; undefined when unset, unreadable or gone. */
export function readEnvironment(pid: number, variable: string): string | undefined {
  const prefix = `${variable}=`;
  const written = unlessGone(() => readFileSync(`/proc/${pid}/environ`, 'utf8'))?.split('\0');
  return written?.find((line) => line.startsWith(prefix))?.slice(prefix.length);
}

/** The sockets that are its standard output and error output, such as `socket:[4711]`: unique on this machine. */
export function readOutputSockets(pid: number): readonly string[] {
  const outputs = [1, 2].map((fd) => unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`)));
  return outputs.filter((output): output is string => output?.startsWith('socket:') === true);
}

/** The command name may hold spaces and parentheses: the fields are counted from the last one. */
function parseStat(stat: string): ProcessEntry | undefined {
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parentPid, groupId, sessionId] = afterName;
  const startTicks = afterName[19];
  if (state === undefined || startTicks === undefined) return undefined;
  return {
    pid: Number.parseInt(stat, 10),
    state,
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    startTicks: Number(startTicks),
  };
}

/** Not there, gone while being read, or not ours to see. */
const GONE = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (GONE.has(codeOf(thrown) ?? '')) return undefined;
    throw thrown;
  }
}
