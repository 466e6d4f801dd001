/** Finds and reads the files of a home, in an order that is the same everywhere. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '../errors.ts';
import { compareText, type Problems } from './problems.ts';

const MAX_FILE_BYTES = 1024 * 1024;

export interface HomeFiles {
  /** Paths relative to the home, with `/`. */
  readonly probes: readonly string[];
  readonly remediations: readonly string[];
  /** `probes/*.ts` and their like: probes in code, and what they import. */
  readonly modules: readonly string[];
  /** What only modules read: `.json`, `.cjs`, `.cts`. */
  readonly parts: readonly string[];
}

/** Folders that cannot be read are added to `problems`, or taken for empty ones without it. */
export async function listHome(home: string, problems?: Problems): Promise<HomeFiles> {
  const above = [await realpath(home).catch(absent)].filter((path) => path !== undefined);
  const missing = (path: string) => (error: unknown) => {
    if (!isForbidden(error)) return absent(error);
    problems?.add({ file: path, line: 1, column: 1 }, `cannot be read: ${messageOf(error)}`);
    return undefined;
  };
  const probes = await listFolder(home, 'probes', above, missing);
  const remediations = await listFolder(home, 'remediations', above, missing);
  return {
    probes: probes.filter(isYaml),
    remediations: remediations.filter(isYaml),
    modules: probes.filter((file) => /\.m?[jt]s$/.test(file) && !isIgnoredModule(file)),
    parts: probes.filter((file) => /\.(?:c[jt]s|json)$/.test(file) && !isIgnoredModule(file)),
  };
}

/** Files of a home that stand alone, each of which may be missing. */
export const OWN_FILES: readonly string[] = ['brainstem.yml', 'blackbox.yml', 'credentials.yaml', '.env'];

/** Hash over the names and contents of every file that a configuration depends on. */
export async function hashHome(home: string): Promise<string> {
  const { probes, remediations, modules, parts } = await listHome(home);
  const hash = createHash('sha256');
  for (const file of [...OWN_FILES, ...probes, ...remediations, ...modules, ...parts]) {
    const content = await readIfThere(join(home, file));
    hash.update(JSON.stringify([file, content?.length ?? null])).update(content ?? '');
  }
  return hash.digest('hex');
}

function isYaml(file: string): boolean {
  return /\.ya?ml$/.test(file);
}

/** Types alone, and what belongs to others. */
function isIgnoredModule(file: string): boolean {
  return /\.d\.[cm]?ts$/.test(file) || file.split('/').includes('node_modules');
}

/** Hidden files, and what editors leave beside a file while it is edited. */
function isIgnored(name: string): boolean {
  return name.startsWith('.') || name.startsWith('#') || name.endsWith('~') || /\.(?:swp|swx|bak|orig|tmp)$/.test(name);
}

/** `above` are the real paths of the folders on the way: a symbolic link back to one of them is not followed. */
async function listFolder(
  home: string,
  folder: string,
  above: readonly string[],
  missing: (path: string) => (error: unknown) => undefined,
): Promise<string[]> {
  const real = await realpath(join(home, folder)).catch(missing(folder));
  if (real === undefined || above.includes(real)) return [];
  const entries = await readdir(real, { withFileTypes: true }).catch(missing(folder));
  const files: string[] = [];
  for (const entry of (entries ?? []).toSorted((one, other) => compareText(one.name, other.name))) {
    if (isIgnored(entry.name)) continue;
    const path = `${folder}/${entry.name}`;
    const target = entry.isSymbolicLink() ? await stat(join(home, path)).catch(missing(path)) : entry;
    if (target?.isDirectory()) files.push(...(await listFolder(home, path, [...above, real], missing)));
    else files.push(path);
  }
  return files;
}

/** A missing file or folder is as good as an empty one; anything else is an error. */
function absent(error: unknown): undefined {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
  throw error;
}

function isForbidden(error: unknown): boolean {
  return codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM';
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    const target = await stat(path).catch(absent);
    if (!target?.isFile() || target.size > MAX_FILE_BYTES)
      return target && Buffer.from(`${target.size} ${target.mtimeMs}`);
    return await readFile(path).catch(absent);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return Buffer.from('forbidden');
  }
}

/** undefined: the file is not there, or what is wrong with it was added to `problems`. */
export async function readText(home: string, file: string, problems: Problems): Promise<string | undefined> {
  const add = (message: string, line = 1, column = 1) => problems.add({ file, line, column }, message);
  const content = await readCapped(join(home, file), add);
  if (content === undefined) return undefined;
  if (content.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))) {
    add('begins with a byte order mark; save it as UTF-8 without one');
    return undefined;
  }
  if (!isUtf8(content)) {
    const before = content.toString('utf8').split('\uFFFD', 1)[0] ?? '';
    const lines = before.split('\n');
    add('is not valid UTF-8 from here on', lines.length, (lines.at(-1)?.length ?? 0) + 1);
    return undefined;
  }
  return content.toString('utf8');
}

async function readCapped(path: string, add: (message: string) => void): Promise<Buffer | undefined> {
  try {
    const target = await stat(path).catch(absent);
    if (target === undefined) return undefined;
    if (target.isFile() && target.size <= MAX_FILE_BYTES) return await readFile(path);
    add(target.isFile() ? `is larger than 1 MiB (${target.size} bytes)` : 'is not a regular file');
  } catch (error) {
    add(`cannot be read: ${messageOf(error)}`);
  }
  return undefined;
}
