/** What a process costs, as the kernel counts it: all of its threads, none of its children. Linux only. */
import { readFileSync } from 'node:fs';

/** Clock ticks a second of /proc/PID/stat: a constant of the Linux interface to programs, proc(5). */
const TICKS_PER_S = 100;
/** Positions of utime and stime, counted behind the name of the program, which may hold spaces. */
const USER = 11;
const SYSTEM = 12;

/** User and system time so far, in microseconds, of these processes together. */
export function cpuUs(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuUsOf(pid), 0);
}

function cpuUsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[USER]) + Number(fields[SYSTEM])) * 1_000_000) / TICKS_PER_S;
}

/** Resident memory in MB (10^6 bytes). */
export function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1_024) / 1e6;
}
