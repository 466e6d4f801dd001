/**
 * Ending everything that a run started: children, their children, and those that left the process group with
 * `setsid` or were orphaned by a double fork. They are found by descent, session, process group, by the variable that
 * every run puts into its environment, and by the output that they inherited. (What clears its environment, redirects
 * its output, takes a session of its own *and* loses its parent before the deadline escapes; a control group would
 * hold it, but is seldom ours to write. Without `/proc` only the process group is reached.)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../errors.ts';
import {
  isAlive,
  listProcesses,
  type ProcessEntry,
  type ProcessIdentity,
  readEnvironment,
  readOutputSockets,
  readProcess,
} from './process-table.ts';

/** The variable whose value, unique for a run, marks everything that the run started. */
export const RUN_VARIABLE = 'BRAINSTEM_RUN';

/** Between TERM and KILL, for a script to clean up. */
export const KILL_GRACE_MS = 2_000;
/** A process that KILL has not ended by then hangs in the kernel (state D). */
const GIVE_UP_MS = 5_000;
const LOOK_AGAIN_MS = 50;

/**
 * TERM to the whole tree, `graceMs` later KILL, repeated until nothing of it is left. Returns the survivors: processes
 * that hang in the kernel or that we may not signal; empty when all is well.
 */
export async function killTree(
  root: ProcessIdentity,
  marker: string | undefined,
  graceMs: number = KILL_GRACE_MS,
): Promise<readonly ProcessIdentity[]> {
  if (readProcess(process.pid) === undefined) return killGroup(root, graceMs);
  const tree = createTree(root, marker);
  signalAll(tree.living(), 'SIGTERM');
  if (await waitUntilEmpty(tree, graceMs)) return [];
  for (let waitedMs = 0; waitedMs < GIVE_UP_MS; waitedMs += LOOK_AGAIN_MS) {
    signalAll(tree.living(), 'SIGKILL');
    if (await waitUntilEmpty(tree, LOOK_AGAIN_MS)) return [];
  }
  return tree.living().map(({ pid, startTicks }) => ({ pid, startTicks }));
}

/** All that can be done where there is no `/proc`. */
async function killGroup(root: ProcessIdentity, graceMs: number): Promise<readonly ProcessIdentity[]> {
  signal(-root.pid, 'SIGTERM');
  await sleep(graceMs);
  signal(-root.pid, 'SIGKILL');
  return [];
}

/** Whether a child of an earlier daemon still runs. A recycled process id is *gone*; so is a zombie. */
export function findOrphan(child: ProcessIdentity): 'running' | 'gone' {
  const entry = readProcess(child.pid);
  return entry?.startTicks === child.startTicks && isAlive(entry) ? 'running' : 'gone';
}

/** Ends what an earlier daemon's child started, if the child itself still runs. Returns the survivors. */
export async function killOrphan(
  child: ProcessIdentity,
  graceMs: number = KILL_GRACE_MS,
): Promise<readonly ProcessIdentity[]> {
  if (findOrphan(child) === 'gone') return [];
  return killTree(child, readEnvironment(child.pid, RUN_VARIABLE), graceMs);
}

interface Tree {
  /** Looks again. What was once seen to belong stays known, also when its parents are gone by now. */
  living(): readonly ProcessEntry[];
}

function createTree(root: ProcessIdentity, marker: string | undefined): Tree {
  const known = new Map([[root.pid, root.startTicks]]);
  const outputs = new Set(readOutputSockets(root.pid));
  const isKnown = ({ pid, startTicks }: ProcessEntry) => known.get(pid) === startTicks;
  const isMarked = ({ pid }: ProcessEntry) =>
    (marker !== undefined && readEnvironment(pid, RUN_VARIABLE) === marker) ||
    readOutputSockets(pid).some((output) => outputs.has(output));

  function living(): readonly ProcessEntry[] {
    const candidates = listProcesses().filter(({ startTicks }) => startTicks >= root.startTicks);
    // A stranger that was given the root's process id may lead a session of the same number.
    const recycled = candidates.some(({ pid, startTicks }) => pid === root.pid && startTicks !== root.startTicks);
    const members = withDescendants(
      candidates,
      (entry) => isKnown(entry) || (!recycled && isInSession(entry, root)) || isMarked(entry),
    );
    for (const { pid, startTicks } of members) known.set(pid, startTicks);
    return members.filter(isAlive);
  }

  return { living };
}

function isInSession(entry: ProcessEntry, root: ProcessIdentity): boolean {
  return entry.sessionId === root.pid || entry.groupId === root.pid;
}

function withDescendants(
  entries: readonly ProcessEntry[],
  isSeed: (entry: ProcessEntry) => boolean,
): readonly ProcessEntry[] {
  const members = new Set(entries.filter(isSeed));
  const pids = new Set([...members].map(({ pid }) => pid));
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const entry of entries.filter(({ parentPid }) => pids.has(parentPid))) {
      members.add(entry);
      pids.add(entry.pid);
    }
  }
  return [...members];
}

function signalAll(entries: readonly ProcessEntry[], name: 'SIGTERM' | 'SIGKILL'): void {
  for (const { pid } of entries) signal(pid, name);
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (thrown) {
    // Gone meanwhile, or somebody else's: the next look tells.
    if (codeOf(thrown) !== 'ESRCH' && codeOf(thrown) !== 'EPERM') throw thrown;
  }
}

async function waitUntilEmpty(tree: Tree, durationMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < durationMs; waitedMs += LOOK_AGAIN_MS) {
    if (tree.living().length === 0) return true;
    await sleep(LOOK_AGAIN_MS);
  }
  return tree.living().length === 0;
}
