/** Types that read files of this machine, in a process that has no descriptor left, and again when it has some. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const runFile = promisify(execFile);

const SCRIPT = `
import { closeSync, openSync } from 'node:fs';
const [module, create, written] = process.argv.slice(1);
const type = (await import(module))[create]();
const spec = type.spec.parse(JSON.parse(written));
const context = { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 };
const attempt = () => type.run(spec, {}, context).then(({ reason }) => reason, ({ name, code }) => name + ' ' + code);
const taken = [];
try {
  for (;;) taken.push(openSync('/dev/null'));
} catch {}
const tries = [await attempt()];
for (const descriptor of taken) closeSync(descriptor);
tries.push(await attempt());
console.log(JSON.stringify(tries));
`;

test.each([
  ['process', 'createProcessProbeType', { name: 'sleep', pattern: 'sleep' }],
  ['host', 'createHostProbeType', {}],
])('%s: our own want of descriptors is nobody’s failure', async (file, create, spec) => {
  const module = pathToFileURL(resolve(import.meta.dirname, `../../dist/probe-types/${file}.js`)).href;
  const limited = 'ulimit -n 512 && exec "$0" "$@"';
  const argv = ['--input-type=module', '-e', SCRIPT, '--', module, create, JSON.stringify(spec)];
  const { stdout } = await runFile('sh', ['-c', limited, process.execPath, ...argv]);
  expect(JSON.parse(stdout)).toEqual(['RetryableError out_of_resources', 'ok']);
});
