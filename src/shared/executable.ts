/** Finding the program that an argv names, before anything is started: a typo is a clear error, not an exit code. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { codeOf } from '../errors.ts';

export type Executable =
  | { readonly found: true; readonly path: string }
  | { readonly found: false; readonly code: string; readonly error: string };

/** With a slash: relative to `cwd`. Without: the first executable file of that name on `path`. */
export async function findExecutable(command: string, cwd: string, path: string): Promise<Executable> {
  if (!(await isFolder(cwd))) return missing('ENOENT', `the working directory ${cwd} does not exist`);
  if (command.includes('/')) return asExecutable(isAbsolute(command) ? command : resolve(cwd, command));
  for (const folder of path.split(':').filter((part) => part !== '')) {
    const candidate = await asExecutable(join(resolve(cwd, folder), command));
    if (candidate.found) return candidate;
  }
  return missing('ENOENT', `${JSON.stringify(command)} is not on PATH (${path})`);
}

async function asExecutable(path: string): Promise<Executable> {
  try {
    await access(path, constants.X_OK);
    if ((await stat(path)).isFile()) return { found: true, path };
    return missing('EACCES', `${path} is not a file`);
  } catch (thrown) {
    const code = codeOf(thrown);
    if (code === undefined) throw thrown;
    return missing(code, code === 'EACCES' ? `${path} is not executable` : `${path} cannot be started: ${code}`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown;
    return false;
  }
}

function missing(code: string, error: string): Executable {
  return { found: false, code, error };
}
