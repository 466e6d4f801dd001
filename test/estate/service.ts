/**
 * A small real service, in a process of its own, that can be broken in three ways: killed, hung, answering 500; its fix can
 * misbehave too. Both write what they do to an append-only file: the oracle of every test that heals it.
 *
 * Started directly it serves: `jiti`-free plain Node, so that a fix can start it again by the same command.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The service's own program. GET / answers by the mode file: `ok`, `500` or `hang`; a start makes it `ok` again. */
const PROGRAM = `
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs');
const [folder, port] = process.argv.slice(2);
const note = (what) => appendFileSync(folder + '/oracle.jsonl', JSON.stringify({ at: Date.now(), what, pid: process.pid }) + '\\n');
writeFileSync(folder + '/mode', 'ok');
writeFileSync(folder + '/pid', String(process.pid));
require('node:http').createServer((request, response) => {
  const mode = readFileSync(folder + '/mode', 'utf8');
  if (mode === 'hang') return;
  response.writeHead(mode === '500' ? 500 : 200, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ status: mode === '500' ? 'broken' : 'operational' }));
}).listen(Number(port), '127.0.0.1', () => note('started'));
`;

/**
 * Restarts the service: the fix. It notes its beginning, with the attempt that it was told on standard input, and its end,
 * and ends once the service runs in the background. The file `fix-mode` makes its next run misbehave.
 */
const RESTART = `
const { appendFileSync, readFileSync, rmSync } = require('node:fs');
const { spawn } = require('node:child_process');
const [folder, port] = process.argv.slice(2);
let attempt;
try { attempt = JSON.parse(readFileSync(0, 'utf8')).attempt; } catch (error) { if (!(error instanceof SyntaxError)) throw error; }
const note = (what) => appendFileSync(folder + '/oracle.jsonl', JSON.stringify({ at: Date.now(), what, pid: process.pid, attempt }) + '\\n');
const end = (code) => { note('fix_ended'); process.exit(code); };
note('fix');
let mode = 'works';
try { mode = readFileSync(folder + '/fix-mode', 'utf8'); rmSync(folder + '/fix-mode'); } catch (error) { if (error.code !== 'ENOENT') throw error; }
const [how, ms] = mode.split(' ');
if (how === 'idles') end(0);
if (how === 'fails') end(1);
setTimeout(restart, Number(ms ?? 0));
function restart() {
  try { process.kill(Number(readFileSync(folder + '/pid', 'utf8')), 'SIGKILL'); } catch (error) { if (error.code !== 'ESRCH') throw error; }
  setTimeout(() => {
    spawn(process.execPath, [folder + '/service.cjs', folder, port], { detached: true, stdio: 'ignore' }).unref();
    end(0);
  }, 50);
}
`;

export type Break = 'kill' | 'hang' | '500';
/** What the next run of the fix does: it exits 0 without doing anything, it exits 1, or it takes this many milliseconds. */
export type FixMode = 'works' | 'idles' | 'fails' | `lasts ${number}`;

export interface OracleLine {
  readonly at: number;
  readonly what: 'started' | 'fix' | 'fix_ended' | 'broken';
  readonly pid: number;
  /** Of a fix: the attempt that it was told to be; absent when somebody ran it by hand. */
  readonly attempt?: number;
  /** Of a break. */
  readonly how?: Break;
}

export interface Service {
  readonly url: string;
  readonly folder: string;
  /** Argument vector of the fix. */
  readonly restartArgv: readonly string[];
  break(how: Break): Promise<void>;
  /** What the next run of the fix does; after it the fix works again. */
  nextFix(mode: FixMode): Promise<void>;
  oracle(): Promise<readonly OracleLine[]>;
  /** Ends whichever process serves now. */
  stop(): Promise<void>;
}

/** Starts the service in a folder that exists; resolves when it answers. */
export async function startService(folder: string, port: number): Promise<Service> {
  const program = join(folder, 'service.cjs');
  const restart = join(folder, 'restart.cjs');
  await writeFile(program, PROGRAM);
  await writeFile(restart, RESTART);
  const child: ChildProcess = spawn(process.execPath, [program, folder, String(port)], {
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  const url = `http://127.0.0.1:${port}/`;
  await answering(url);
  const pid = async () => Number(await readFile(join(folder, 'pid'), 'utf8'));
  return {
    url,
    folder,
    restartArgv: [process.execPath, restart, folder, String(port)],
    async break(how) {
      await appendFile(
        join(folder, 'oracle.jsonl'),
        `${JSON.stringify({ at: Date.now(), what: 'broken', how, pid: await pid() })}\n`,
      );
      if (how === 'kill') end(await pid());
      else await writeFile(join(folder, 'mode'), how);
    },
    nextFix: (mode) => writeFile(join(folder, 'fix-mode'), mode),
    async oracle() {
      const text = await readFile(join(folder, 'oracle.jsonl'), 'utf8');
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as OracleLine);
    },
    async stop() {
      // A fix that is still starting the service again would leave it behind: ask until nobody serves.
      for (let quiet = 0; quiet < 4; quiet += 1) {
        end(await pid());
        await new Promise((resume) => setTimeout(resume, 100));
      }
    },
  };
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await fetch(url, { signal: AbortSignal.timeout(1_000) });
      return;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }
}
