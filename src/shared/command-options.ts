/** The options that `exec` has as a probe and as an action. */
import { resolve } from 'node:path';
import { z } from 'zod';

const withoutNul = (text: string) => !text.includes('\0');
const NUL = 'must not hold a NUL character';

/** Program and arguments. There is no shell: a single string is refused with the way to write it. */
export function argvOption() {
  return z
    .tuple([z.string().min(1).refine(withoutNul, NUL)], z.string().refine(withoutNul, NUL), {
      error: 'is a list: the program, then each argument; nothing runs through a shell',
    })
    .describe('Program and arguments. With a slash the program is relative to cwd, else it is looked up on PATH');
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function environmentOption() {
  return z
    .record(z.string().regex(VARIABLE, 'is not the name of a variable'), z.string().refine(withoutNul, NUL))
    .default({})
    .describe('Variables of the program, besides PATH, HOME, LANG, LC_ALL and TZ');
}

export function workingDirectoryOption() {
  return z.string().min(1).optional().describe('Working directory. Default: the folder of the definition file');
}

/** Somebody will look for it: the answer says how to be explicit instead. */
export function shellOption() {
  return z
    .literal(false, { error: 'is not offered; where a shell is wanted, name it: argv: ["/bin/sh", "-c", "…"]' })
    .optional()
    .describe('Nothing runs through a shell; where one is wanted, argv names it');
}

/** An absolute path is itself; others start at the folder of the definition file. */
export function folderOf(written: string | undefined, definitionFolder: string): string {
  return resolve(definitionFolder, written ?? '.');
}
