/** Where pictures are kept: a folder of the home that never grows beyond a few of each probe. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Screenshot } from './browser-protocol.ts';

/** Pictures of one probe, and of all. */
const KEPT_OF_ONE = 5;
const KEPT = 100;

/** Keeps the pictures of a run. Returns the path of the newest; undefined: there was none. */
export async function keepScreenshots(
  folder: string,
  probe: string,
  screenshots: readonly Screenshot[],
  now: number,
): Promise<string | undefined> {
  if (screenshots.length === 0) return undefined;
  const label = labelOf(probe);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stamp = new Date(now).toISOString().replaceAll(/[:.]/g, '-');
  let newest: string | undefined;
  // Those that would be thrown away at once are not even copied.
  for (const [index, { name, file }] of screenshots.slice(-KEPT_OF_ONE).entries()) {
    newest = join(folder, `${stamp}_${label}_${index}-${name}.png`);
    await copyFile(file, newest);
  }
  await prune(folder, label);
  return newest;
}

/** What of a name can stand in that of a file; an item of `each` may hold a path. */
function labelOf(probe: string): string {
  const plain = probe.replaceAll(/[^\w.[\]-]/g, '-').slice(0, 100);
  if (plain === probe) return plain;
  return `${plain}-${createHash('sha256').update(probe).digest('hex').slice(0, 8)}`;
}

/** Their names begin with their time, so that the order of names is that of age. */
async function prune(folder: string, label: string): Promise<void> {
  const all = (await readdir(folder)).filter((name) => name.endsWith('.png')).toSorted();
  const own = all.filter((name) => name.split('_').slice(1, -1).join('_') === label);
  const spent = new Set([...own.slice(0, -KEPT_OF_ONE), ...all.slice(0, -KEPT)]);
  for (const name of spent) await rm(join(folder, name), { force: true });
}
