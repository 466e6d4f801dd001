/** What a killed daemon leaves behind, and how the next one finds it again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import {
  isAlive,
  listProcesses,
  type ProcessIdentity,
  readEnvironment,
  readProcess,
} from '../../src/shared/process-table.ts';
import { findOrphan, killOrphan } from '../../src/shared/process-tree.ts';

const TEST_MARK = 'ORPHAN_TEST_MARK';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orphan-'));
});

afterEach(async () => {
  for (const { pid } of marked()) end(pid);
  await rm(folder, { recursive: true, force: true });
});

/** It may be gone since we looked. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if (codeOf(thrown) !== 'ESRCH') throw thrown;
  }
}

function marked() {
  return listProcesses().filter((entry) => isAlive(entry) && readEnvironment(entry.pid, TEST_MARK) === folder);
}

/** A process that runs a child as the daemon does, says which one it recorded, and is then killed with SIGKILL. */
async function orphanOf(script: string, onStart: string, until: () => boolean): Promise<ProcessIdentity> {
  const source = join(folder, 'daemon.ts');
  await writeFile(
    source,
    `import { runChild } from ${JSON.stringify(resolve('src/shared/child-process.ts'))};
     const announce = (child: object) => new Promise<void>((done) => process.stdout.write(JSON.stringify(child) + '\\n', () => done()));
     void runChild({ argv: ['sh', '-c', ${JSON.stringify(script)}], cwd: ${JSON.stringify(folder)},
       env: { PATH: '/usr/bin:/bin', ${TEST_MARK}: ${JSON.stringify(folder)} },
       signal: AbortSignal.timeout(60_000), onStart: async (child) => { await announce(child); ${onStart} } });`,
  );
  const daemon = spawn(process.execPath, [resolve('node_modules/jiti/lib/jiti-cli.mjs'), source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(daemon, 'exit');
  try {
    const [line] = (await once(daemon.stdout, 'data')) as [Buffer];
    await waitFor(until);
    return JSON.parse(line.toString()) as ProcessIdentity;
  } finally {
    daemon.kill('SIGKILL');
    await ended;
  }
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 20) {
    if (waitedMs > 15_000) throw new Error('waited too long');
    await sleep(20);
  }
}

const FOREVER = 'await new Promise(() => setInterval(() => {}, 1_000));';

it('a child whose daemon died before recording it leaves without acting', async () => {
  const child = await orphanOf('touch acted; sleep 1099', FOREVER, () => true);
  await waitFor(() => findOrphan(child) === 'gone');
  expect(existsSync(join(folder, 'acted'))).toBe(false);
});

it('a child whose daemon died while it ran is found running, and killed with all it started', async () => {
  const acted = () => existsSync(join(folder, 'acted'));
  const child = await orphanOf('(setsid sleep 1099 &); sleep 1099 & touch acted; wait', '', acted);
  expect(findOrphan(child)).toBe('running');
  expect(marked().length).toBe(3);
  expect(await killOrphan(child, 500)).toEqual([]);
  expect(findOrphan(child)).toBe('gone');
  expect(marked()).toEqual([]);
});

it('a recycled process id is never taken for the child, nor killed', async () => {
  const stranger = spawn('sleep', ['1009'], { detached: true });
  try {
    const entry = readProcess(stranger.pid ?? 0);
    const recycled = { pid: stranger.pid ?? 0, startTicks: (entry?.startTicks ?? 0) - 100 };
    expect(findOrphan(recycled)).toBe('gone');
    expect(await killOrphan(recycled, 100)).toEqual([]);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    expect(readProcess(recycled.pid)?.state).not.toBe('Z');
  } finally {
    stranger.kill('SIGKILL');
  }
});

it('what a finished run left on purpose is not hunted down', async () => {
  const child = await orphanOf('setsid sleep 1099 > /dev/null 2>&1 & touch acted', '', () =>
    existsSync(join(folder, 'acted')),
  );
  await waitFor(() => findOrphan(child) === 'gone');
  expect(await killOrphan(child, 100)).toEqual([]);
  expect(marked().length).toBe(1);
});
