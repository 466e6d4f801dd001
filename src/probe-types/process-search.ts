/** Finding processes by name, user and command line, without ever blocking the daemon for long. */
import { close, open, read } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setImmediate as nextLoop } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { RE2JS } from 're2js';
import { codeOf } from '../errors.ts';
import { isAlive, type ProcessEntry, readProcess, readStatus } from '../shared/process-table.ts';
import { ProbeFailure } from './failure.ts';

export interface Wanted {
  readonly name: string | undefined;
  readonly pattern: RE2JS | undefined;
  readonly userId: number | undefined;
}

/** What the kernel keeps of a name. */
const NAME_CHARS = 15;
/** Entries that are read before others get their turn: about 3 ms. */
const SLICE = 128;
const COMMAND_BYTES = 4_096;

/**
 * The living processes that match, but for ourselves and what descends from us: a script that a probe runs may well name
 * the program that it looks at. Rejects with a ProbeFailure (`timeout`).
 */
export async function findProcesses(
  wanted: Wanted,
  commandOf: CommandReader,
  signal: AbortSignal,
): Promise<readonly ProcessEntry[]> {
  const entries = await listProcesses(signal);
  const found: ProcessEntry[] = [];
  for (const entry of entries.values()) {
    if (!isAlive(entry) || isOurs(entry, entries)) continue;
    if (wanted.name !== undefined && entry.name !== wanted.name.slice(0, NAME_CHARS)) continue;
    if (wanted.userId !== undefined && readStatus(entry.pid)?.userId !== wanted.userId) continue;
    if (wanted.pattern && !matches(wanted.pattern, await commandOf(entry.pid, signal))) continue;
    found.push(entry);
  }
  return found;
}

/** A thread of the kernel has no command line, and matches no pattern. */
function matches(pattern: RE2JS, command: string): boolean {
  return command !== '' && pattern.matcher(command).find();
}

async function listProcesses(signal: AbortSignal): Promise<ReadonlyMap<number, ProcessEntry>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const entries = new Map<number, ProcessEntry>();
  for (const [index, pid] of pids.entries()) {
    if (index % SLICE === SLICE - 1) await nextLoop();
    if (signal.aborted)
      throw new ProbeFailure('timeout', `of ${pids.length} processes only ${index} were read in time`);
    const entry = readProcess(pid);
    if (entry) entries.set(pid, entry);
  }
  return entries;
}

/** The steps are counted, because ids may be given anew while the table is read. */
function isOurs(entry: ProcessEntry, entries: ReadonlyMap<number, ProcessEntry>): boolean {
  let ancestor: ProcessEntry | undefined = entry;
  for (let steps = 0; ancestor && steps < entries.size; steps += 1) {
    if (ancestor.pid === process.pid) return true;
    ancestor = entries.get(ancestor.parentPid);
  }
  return false;
}

/** The command line, its arguments separated by blanks, cut; empty when there is none. */
export type CommandReader = (pid: number, signal: AbortSignal) => Promise<string>;

/**
 * Who reads the command line of a process that hangs in the kernel may hang with it, as `ps` does, and hold a thread of
 * Node's small pool. So one is read at a time, and none while one hangs.
 */
export function createCommandReader(reading: (pid: number) => Promise<string> = readCommand): CommandReader {
  let lane: Promise<unknown> = Promise.resolve();
  let current: number | undefined;
  let hanging: number | undefined;

  function readInTurn(pid: number, signal: AbortSignal): Promise<string> {
    const turn = lane.then(async () => {
      if (signal.aborted) return '';
      current = pid;
      try {
        return await reading(pid);
      } finally {
        current = hanging = undefined;
      }
    });
    lane = Promise.allSettled([turn]);
    return turn;
  }

  return async (pid, signal) => {
    if (hanging !== undefined) throw hangs(hanging);
    const command = await unlessAborted(readInTurn(pid, signal), signal);
    if (command !== undefined) return command;
    hanging = current;
    throw hanging === undefined
      ? new ProbeFailure('timeout', 'the command lines were not read in time')
      : hangs(hanging);
  };
}

function hangs(pid: number): ProbeFailure {
  return new ProbeFailure('timeout', `process ${pid} hangs: its command line cannot be read`);
}

/** undefined: aborted before the work was done. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let onAbort = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Gone since it was listed, or not ours to see. */
const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

/** Half the price of a FileHandle, which counts with hundreds of processes. */
const [openFile, readFile, closeFile] = [promisify(open), promisify(read), promisify(close)];

async function readCommand(pid: number): Promise<string> {
  try {
    const descriptor = await openFile(`/proc/${pid}/cmdline`, 'r');
    try {
      const { buffer, bytesRead } = await readFile(descriptor, Buffer.allocUnsafe(COMMAND_BYTES), 0, COMMAND_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead).replaceAll('\0', ' ').trimEnd();
    } finally {
      await closeFile(descriptor);
    }
  } catch (thrown) {
    if (GONE.has(codeOf(thrown))) return '';
    throw thrown;
  }
}

/** Descriptors that these hold open, together; undefined when we may not look at one of them. Rejects with `timeout`. */
export async function countOpenFiles(
  processes: readonly ProcessEntry[],
  signal: AbortSignal,
): Promise<number | undefined> {
  let count = 0;
  for (const { pid } of processes) {
    if (signal.aborted) throw new ProbeFailure('timeout', 'the open files were not counted in time');
    try {
      count += (await readdir(`/proc/${pid}/fd`)).length;
    } catch (thrown) {
      const code = codeOf(thrown);
      if (code === 'EACCES' || code === 'EPERM') return undefined;
      if (!GONE.has(code)) throw thrown;
    }
  }
  return count;
}
