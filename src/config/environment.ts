/** The variables that definitions may use: `<home>/.env`, over which the process environment wins. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { codeOf, messageOf } from '../errors.ts';
import { readText } from './files.ts';
import type { Problems } from './problems.ts';
import type { Lookup } from './substitute.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Bytes of one `${file:…}`. */
const MAX_SECRET_BYTES = 64 * 1024;

export async function readEnvironment(
  home: string,
  environment: Environment,
  problems: Problems,
): Promise<Environment> {
  const text = await readText(home, '.env', problems);
  const own = text === undefined ? {} : parseEnv(text);
  const set = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '');
  return Object.freeze({ ...own, ...Object.fromEntries(set) });
}

/** Answers from memory, so that substitution need not wait: `files` are read beforehand. */
export async function createLookup(
  home: string,
  variables: Environment,
  files: ReadonlySet<string>,
  problems: Problems,
): Promise<Lookup> {
  const contents = new Map<string, string>();
  for (const path of files) {
    const content = await readSecretFile(resolve(home, path), path, problems);
    if (content !== undefined) contents.set(path, content);
  }
  return {
    variable: (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined),
    file: (path) => contents.get(path),
  };
}

/** Without the line end that editors and `echo` leave. A missing file counts as unset; a pipe or device is refused. */
async function readSecretFile(absolute: string, path: string, problems: Problems): Promise<string | undefined> {
  const add = (message: string) => problems.add({ file: path, line: 1, column: 1 }, message);
  try {
    const target = await stat(absolute);
    if (target.isFile() && target.size <= MAX_SECRET_BYTES)
      return (await readFile(absolute, 'utf8')).replace(/\r?\n$/, '');
    add(target.isFile() ? 'is larger than 64 KiB' : 'is not a regular file');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') add(`cannot be read: ${messageOf(error)}`);
  }
  return undefined;
}
