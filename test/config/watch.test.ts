import { appendFile, mkdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { hashHome } from '../../src/config/files.ts';
import { type WatchOptions, watchHome } from '../../src/config/watch.ts';
import { type Files, homeWith, writeInto } from './homes.ts';

const WEB = 'probes:\n  - name: web\n    http: { url: "http://127.0.0.1/" }\n';
/** Long enough for a change to be noticed, were it one. */
const QUIET_MS = 600;

async function watched(files: Files, options: WatchOptions = {}) {
  const home = await homeWith(files);
  let changes = 0;
  const watch = watchHome(home, () => changes++, options);
  onTestFinished(() => watch.close());
  await watch.ready;
  return { home, watch, changes: () => changes };
}

/** Resolves when `count` changes have been told, and no more follow. */
async function told(changes: () => number, count: number): Promise<void> {
  await vi.waitFor(() => expect(changes()).toBeGreaterThanOrEqual(count), { timeout: 10_000, interval: 10 });
  await sleep(QUIET_MS);
  expect(changes()).toBe(count);
}

test('a new file is told in well under a second', async () => {
  const { home, changes } = await watched({ 'brainstem.yml': '' });
  await mkdir(join(home, 'probes'));
  const savedAt = performance.now();
  await writeFile(join(home, 'probes/web.yaml'), WEB);
  await vi.waitFor(() => expect(changes()).toBe(1), { timeout: 10_000, interval: 5 });
  // 100 ms of quiet, and what two busy cores add.
  expect(performance.now() - savedAt).toBeLessThan(900);
});

test.each([
  ['brainstem.yml', 'log: { level: debug }\n'],
  ['.env', 'NAME=value\n'],
  ['probes/deeper/a.yml', WEB],
  ['remediations/a.yaml', 'remediations: []\n'],
])('a change of %s is told once', async (path, text) => {
  const { home, changes } = await watched({ [path]: '' });
  await writeInto(home, { [path]: text });
  await told(changes, 1);
});

test('a file that is being written all the time is told all the same', async () => {
  const { home, changes } = await watched({ 'probes/a.yaml': '' });
  const writer = setInterval(() => void appendFile(join(home, 'probes/a.yaml'), '# more\n'), 20);
  onTestFinished(() => clearInterval(writer));
  await vi.waitFor(() => expect(changes()).toBeGreaterThanOrEqual(2), { timeout: 10_000 });
});

test('a removed file and a removed folder are told', async () => {
  const { home, changes } = await watched({ 'probes/a.yaml': WEB, 'probes/b/c.yaml': WEB });
  await rm(join(home, 'probes/a.yaml'));
  await told(changes, 1);
  await rm(join(home, 'probes/b'), { recursive: true });
  await told(changes, 2);
});

test('a save in many small writes is not told for each of them', async () => {
  const { home, changes } = await watched({ 'probes/a.yaml': '' });
  for (let end = 0; end < WEB.length; end += 2) {
    await writeFile(join(home, 'probes/a.yaml'), WEB.slice(0, end));
    await sleep(2);
  }
  await vi.waitFor(() => expect(changes()).toBeGreaterThanOrEqual(1), { timeout: 10_000 });
  await sleep(QUIET_MS);
  expect(changes()).toBeLessThan(WEB.length / 4);
});

test('a save by an editor, which replaces the file, is told each time', async () => {
  const { home, changes } = await watched({ 'probes/a.yaml': '' });
  for (const round of [1, 2, 3]) {
    await writeFile(join(home, 'probes/.a.yaml.swp'), `${WEB}# ${round}\n`);
    await rename(join(home, 'probes/.a.yaml.swp'), join(home, 'probes/a.yaml'));
    await told(changes, round);
  }
});

test('a touched file, the data folder and unrelated files are no change', async () => {
  const { home, changes } = await watched({ 'probes/a.yaml': WEB });
  await utimes(join(home, 'probes/a.yaml'), new Date(), new Date());
  await writeFile(join(home, 'probes/a.yaml'), await readFile(join(home, 'probes/a.yaml')));
  await writeInto(home, { 'data/brainstem.db': 'rows', 'notes.txt': 'text', 'probes/notes.txt': 'text' });
  await told(changes, 0);
});

test('a swap of symbolic links, as of a Kubernetes ConfigMap, is told', async () => {
  const home = await homeWith({ 'probes/..one/web.yaml': WEB, 'probes/..two/web.yaml': WEB.replace('web', 'shop') });
  await symlink('..one', join(home, 'probes/..data'));
  await symlink('..data/web.yaml', join(home, 'probes/web.yaml'));
  let changes = 0;
  const watch = watchHome(home, () => changes++);
  onTestFinished(() => watch.close());
  await watch.ready;
  await symlink('..two', join(home, 'probes/..data_tmp'));
  await rename(join(home, 'probes/..data_tmp'), join(home, 'probes/..data'));
  await told(() => changes, 1);
});

test('a change before the watch stood is told when it differs from what was loaded', async () => {
  const home = await homeWith({ 'probes/a.yaml': WEB });
  const baseline = await hashHome(home);
  await writeInto(home, { 'probes/a.yaml': `${WEB}    paused: true\n` });
  let changes = 0;
  const watch = watchHome(home, () => changes++, { baseline });
  onTestFinished(() => watch.close());
  await told(() => changes, 1);
});

test('a change that sends no event is found by looking again', async () => {
  const elsewhere = await homeWith({ 'real/web.yaml': WEB });
  const home = await homeWith({ 'probes/keep.txt': '' });
  await symlink(join(elsewhere, 'real'), join(home, 'probes/linked'));
  let changes = 0;
  const watch = watchHome(home, () => changes++, { rescanMs: 200 });
  onTestFinished(() => watch.close());
  await watch.ready;
  await rename(join(elsewhere, 'real'), join(elsewhere, 'gone'));
  await told(() => changes, 1);
});

test('nothing is told after closing, which may happen twice', async () => {
  const { home, watch, changes } = await watched({ 'probes/a.yaml': WEB });
  await watch.close();
  await watch.close();
  await writeInto(home, { 'probes/b.yaml': WEB });
  await told(changes, 0);
});
