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
  /** Of its program, or what it calls itself; the kernel keeps 15 characters. */
  readonly name: string;
  /** One letter of proc(5): `R`, `S`, `D`, `T`, `Z` … */
  readonly state: string;
  readonly parentPid: number;
  readonly groupId: number;
  readonly sessionId: number;
  readonly threads: number;
  /** Spent on a processor so far, by itself and the kernel for it; its children are not counted. */
  readonly cpuTicks: number;
}

/** USER_HZ, which is the same on every Linux (time(7)). */
export const TICKS_PER_SECOND = 100;

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
    name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
    state,
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    threads: Number(afterName[17]),
    cpuTicks: Number(afterName[11]) + Number(afterName[12]),
    startTicks: Number(startTicks),
  };
}

export interface ProcessStatus {
  /** The effective user. */
  readonly userId: number;
  /** Memory that is not swapped out; 0 for a thread of the kernel. */
  readonly residentBytes: number;
}

/** undefined: there is no such process. */
export function readStatus(pid: number): ProcessStatus | undefined {
  const status = unlessGone(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  const userId = /^Uid:\s+\d+\s+(\d+)/m.exec(status ?? '')?.[1];
  if (userId === undefined) return undefined;
  const residentKibibytes = /^VmRSS:\s+(\d+) kB/m.exec(status ?? '')?.[1];
  return { userId: Number(userId), residentBytes: Number(residentKibibytes ?? 0) * 1_024 };
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
