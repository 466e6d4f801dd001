/** Homes on disk for tests, and their loading with the real plug-ins. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { ConfigurationError, formatProblem } from '../../src/errors.ts';
import type { Configuration } from '../../src/model.ts';
import { registries } from '../../src/registries.ts';

export type Files = Readonly<Record<string, string | Buffer>>;
export type Variables = Readonly<Record<string, string>>;

/** A folder with these files, removed when the test ends. */
export async function homeWith(files: Files): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-home-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await writeInto(home, files);
  return home;
}

export async function writeInto(home: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), content);
  }
}

export async function load(files: Files, environment: Variables = {}): Promise<Configuration> {
  return loadHome(await homeWith(files), environment);
}

export async function loadHome(home: string, environment: Variables = {}): Promise<Configuration> {
  return loadConfiguration(home, { registries, environment });
}

/** Every problem as one line; empty when it loads. Any other error is thrown. */
export async function problemsOf(home: string, environment: Variables = {}): Promise<readonly string[]> {
  try {
    await loadHome(home, environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map(formatProblem);
    throw error;
  }
}

export async function problems(files: Files, environment: Variables = {}): Promise<readonly string[]> {
  return problemsOf(await homeWith(files), environment);
}

/** The only probe, remediation or notifier of a configuration. */
export function only<Item>(items: ReadonlyMap<string, Item>): Item {
  const [item, ...others] = items.values();
  if (item === undefined || others.length > 0) throw new Error(`expected exactly one, got ${items.size}`);
  return item;
}
