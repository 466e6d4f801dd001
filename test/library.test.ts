import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const runFile = promisify(execFile);
const LIBRARY = pathToFileURL(resolve(import.meta.dirname, '../dist/library.js')).href;

/** Loads a library in a process that has no descriptor left, and again when it has some. */
const SCRIPT = `
import { closeSync, openSync } from 'node:fs';
const { loadLibrary } = await import(process.argv[1]);
const attempt = () => {
  try {
    return typeof loadLibrary(process.argv[2]);
  } catch (error) {
    return error.name + ' ' + error.code;
  }
};
const taken = [];
try {
  for (;;) taken.push(openSync('/dev/null'));
} catch {}
const tries = [attempt()];
// Too few for all of it.
closeSync(taken.pop());
tries.push(attempt());
for (const descriptor of taken) closeSync(descriptor);
tries.push(attempt());
console.log(JSON.stringify(tries));
`;

test.each(['pg', 'axios', 'dockerode', 'nodemailer', '@slack/web-api', 'systeminformation'])(
  '%s that could not be loaded for want of a descriptor is loaded when there is one',
  async (name) => {
    const limited = 'ulimit -n 64 && exec "$0" "$@"';
    const argv = ['-c', limited, process.execPath, '--input-type=module', '-e', SCRIPT, '--', LIBRARY, name];
    const { stdout } = await runFile('sh', argv);
    const scarce = 'RetryableError out_of_resources';
    expect(JSON.parse(stdout)).toEqual([scarce, scarce, expect.stringMatching(/^(object|function)$/)]);
  },
);
