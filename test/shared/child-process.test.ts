import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import { childEnvironment } from '../../src/shared/child-environment.ts';
import { type ChildOptions, type ChildResult, runChild } from '../../src/shared/child-process.ts';
import { isAlive, listProcesses, readEnvironment } from '../../src/shared/process-table.ts';

const ENV = childEnvironment({}, {});
/** What everything that a test starts carries, so that afterwards nothing of it is left. */
const TEST_MARK = 'CHILD_TEST_MARK';

let folder: string;
let mark: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'child-'));
  mark = folder;
});

afterEach(async () => {
  for (const { pid } of [...marked(), ...sleepers()]) end(pid);
  await rm(folder, { recursive: true, force: true });
});

/** It may be gone since we looked. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if (codeOf(thrown) !== 'ESRCH') throw thrown;
  }
}

function marked() {
  return listProcesses().filter((entry) => isAlive(entry) && readEnvironment(entry.pid, TEST_MARK) === mark);
}

function run(argv: readonly [string, ...string[]], options: Partial<ChildOptions> = {}): Promise<ChildResult> {
  return runChild({
    argv,
    cwd: folder,
    env: { ...ENV, [TEST_MARK]: mark },
    signal: AbortSignal.timeout(20_000),
    ...options,
  });
}

async function exited(argv: readonly [string, ...string[]], options: Partial<ChildOptions> = {}) {
  const result = await run(argv, options);
  if (result.kind !== 'exited') throw new Error(`expected an exit: ${JSON.stringify(result)}`);
  return result;
}

async function script(text: string): Promise<string> {
  const path = join(folder, 'script.sh');
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

const GATES = [
  ['without a gate', undefined],
  ['behind the gate', async () => {}],
] as const;

describe.each(GATES)('runChild %s', (_name, onStart) => {
  const gate: Partial<ChildOptions> = onStart ? { onStart } : {};

  it('gives exit code, output and error output', async () => {
    const result = await exited(['sh', '-c', 'echo out; echo err >&2; exit 3'], gate);
    expect(result.exitCode).toBe(3);
    expect(result.stdout.text).toBe('out\n');
    expect(result.stderr.text).toBe('err\n');
  });

  it('passes thousands of hostile arguments byte by byte', async () => {
    const corpus = hostileStrings(5_000);
    const recorder = ['node', '-e', 'process.stdout.write(JSON.stringify(process.argv.slice(1)))', '--'] as const;
    const chunks = inChunks(corpus, 500);
    const seen: string[] = [];
    for (const chunk of chunks) {
      const env = { ...ENV, PATH: `${join(process.execPath, '..')}:${ENV['PATH']}`, [TEST_MARK]: mark };
      const result = await exited([...recorder, ...chunk], { ...gate, env, headBytes: 10 * 2 ** 20 });
      seen.push(...(JSON.parse(result.stdout.text) as string[]));
    }
    expect(seen).toEqual(corpus);
  });

  it('gives the child its exact environment and nothing of ours', async () => {
    const result = await exited(['/usr/bin/env', '-0'], {
      ...gate,
      env: { PATH: '/usr/bin:/bin', HOME: '/', GREETING: 'a=b\nc' },
    });
    const names = result.stdout.text
      .split('\0')
      .filter(Boolean)
      .map((line) => line.split('=', 1)[0]);
    expect(names.sort()).toEqual(['BRAINSTEM_RUN', 'GREETING', 'HOME', 'PATH']);
    expect(result.stdout.text).toContain('GREETING=a=b\nc\0');
  });

  it('leaves the child no descriptor but its three', async () => {
    const result = await exited(['sh', '-c', 'ls /proc/$$/fd'], gate);
    // dash may keep a descriptor of its own script, numbered from 10.
    expect(result.stdout.text.split('\n').filter((fd) => fd !== '' && Number(fd) < 10)).toEqual(['0', '1', '2']);
  });

  it('starts the child in its folder, in a session of its own', async () => {
    const result = await exited(['sh', '-c', 'pwd; cut -d" " -f1,5,6 /proc/$$/stat'], gate);
    const [where, ids] = result.stdout.text.split('\n');
    expect(where).toBe(folder);
    expect(new Set(ids?.split(' ')).size).toBe(1);
  });

  it('hands over standard input, and forgives a child that does not read it', async () => {
    const text = 'x'.repeat(2 ** 20);
    expect((await exited(['wc', '-c'], { ...gate, stdin: text })).stdout.text.trim()).toBe(String(2 ** 20));
    expect((await exited(['true'], { ...gate, stdin: text })).exitCode).toBe(0);
  });

  it('tells a death by signal', async () => {
    const result = await exited(['sh', '-c', 'kill -9 $$'], gate);
    expect(result).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
  });

  it.each([
    ['a program that is not there', ['no-such-program'], 'ENOENT'],
    ['a path that is not there', ['./missing'], 'ENOENT'],
    ['a folder', ['/tmp'], 'EACCES'],
    ['a file without the executable bit', ['/etc/passwd'], 'EACCES'],
    ['too long a list of arguments', ['echo', 'x'.repeat(2 ** 22)], 'E2BIG'],
    ['a NUL byte', ['echo', 'a\0b'], 'ERR_INVALID_ARG_VALUE'],
  ] as const)('does not start %s', async (_what, argv, code) => {
    expect(await run(argv as unknown as [string], gate)).toMatchObject({ kind: 'not_started', code });
  });

  it('does not start in a folder that is not there, and says so', async () => {
    const result = await run(['true'], { ...gate, cwd: '/no/such/folder' });
    expect(result).toMatchObject({ kind: 'not_started', error: expect.stringContaining('/no/such/folder') });
  });

  it('a script that was saved with CR LF says so', async () => {
    const path = await script('exit 0');
    await writeFile(path, '#!/bin/sh\r\nexit 0\r\n');
    const error = expect.stringMatching(/first line .* CR LF/);
    expect(await run([path])).toMatchObject({ kind: 'not_started', code: 'ENOENT', error });
  });

  it('does not start once the time is up', async () => {
    const result = await run(['touch', 'acted'], { ...gate, signal: AbortSignal.abort(new Error('too late')) });
    expect(result).toMatchObject({ kind: 'not_started', code: 'aborted', error: expect.stringContaining('too late') });
  });
});

describe('the end of a run', () => {
  it('is the end of its own process: what it started lives on, though it holds the output open', async () => {
    const path = await script('(while :; do echo tick; sleep 0.05; done) & echo started; exit 0');
    const started = performance.now();
    const result = await exited([path]);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(result.stdout.text).toContain('started');
    await sleep(600);
    expect(marked().length, 'the service was killed by a closed pipe').toBeGreaterThan(0);
  });

  it('keeps all that was printed before the exit', async () => {
    for (let round = 0; round < 20; round += 1) {
      const result = await exited(['sh', '-c', 'sleep 5 & head -c 60000 /dev/zero | tr "\\0" x']);
      expect(result.stdout.totalBytes).toBe(60_000);
    }
  });

  it('comes at the deadline even for a script that ignores TERM', async () => {
    const path = await script("trap '' TERM; while :; do sleep 1; done");
    const result = await run([path], { signal: AbortSignal.timeout(300), graceMs: 300 });
    expect(result).toMatchObject({ kind: 'killed', survivors: [], why: expect.stringContaining('timeout') });
    expect(marked()).toEqual([]);
  });

  it('gives a script the grace to clean up', async () => {
    const path = await script(
      "trap 'echo cleaned > cleaned; echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done",
    );
    const result = await run([path], { signal: AbortSignal.timeout(1_500) });
    expect(result).toMatchObject({ kind: 'killed', stdout: { text: 'up\nbye\n' } });
    expect(await readFile(join(folder, 'cleaned'), 'utf8')).toBe('cleaned\n');
  });

  it('takes along everything that was started: forks, setsid, double forks, cleared environments', async () => {
    const path = await script(`
      trap '' TERM
      sleep 9876501 &
      setsid sleep 9876502 &
      (setsid sh -c 'sleep 9876503 & sleep 9876504 & wait' &)
      (setsid sh -c 'trap "" TERM; (setsid sleep 9876505 &); while :; do sleep 0.2; done' &)
      env -i sleep 9876506 &
      setsid env -i setsid sleep 9876507 &
      wait`);
    const before = sleepers();
    const running = run([path], { signal: AbortSignal.timeout(1_500), graceMs: 300 });
    await sleep(1_000);
    expect(sleepers().length - before.length).toBe(7);
    expect(await running).toMatchObject({ kind: 'killed', survivors: [] });
    expect(marked()).toEqual([]);
    expect(sleepers().length).toBe(before.length);
  });

  it('takes along what is forked while it kills', async () => {
    const path = await script(
      "trap '' TERM; f() { (trap '' TERM; sleep 0.02; f) & (sleep 9876508 &); }; f; while :; do sleep 1; done",
    );
    const result = await run([path], { signal: AbortSignal.timeout(500), graceMs: 200 });
    expect(result).toMatchObject({ kind: 'killed', survivors: [] });
    expect(marked()).toEqual([]);
  });
});

/** Processes `sleep 10xx` of these tests, also those that cleared their environment. */
function sleepers() {
  return listProcesses().filter((entry) => isAlive(entry) && isTestSleep(entry.pid));
}

function isTestSleep(pid: number): boolean {
  return /sleep 987650\d $/.test(commandLine(pid).replaceAll('\0', ' '));
}

describe('the gate', () => {
  it('holds the program back until the child is on record', async () => {
    let recorded = () => {};
    const running = exited(['touch', 'acted'], {
      onStart: () =>
        new Promise<void>((resolve) => {
          recorded = resolve;
        }),
    });
    await sleep(500);
    await expect(readFile(join(folder, 'acted'))).rejects.toThrow('ENOENT');
    recorded();
    expect((await running).exitCode).toBe(0);
    await readFile(join(folder, 'acted'));
  });

  it('records the very process that acts', async () => {
    let child = { pid: 0, startTicks: 0 };
    const result = await exited(['sh', '-c', 'cut -d" " -f1,22 /proc/$$/stat'], {
      onStart: async (started) => {
        child = started;
      },
    });
    expect(result.stdout.text.trim()).toBe(`${child.pid} ${child.startTicks}`);
  });

  it('never lets a child go that could not be recorded', async () => {
    const refused = exited(['touch', 'acted'], { onStart: () => Promise.reject(new Error('the store is away')) });
    await expect(refused).rejects.toMatchObject({ code: 'child_not_recorded', cause: new Error('the store is away') });
    await sleep(200);
    await expect(readFile(join(folder, 'acted'))).rejects.toThrow('ENOENT');
  });

  it('never lets a child go after the deadline', async () => {
    const result = await run(['touch', 'acted'], {
      signal: AbortSignal.timeout(300),
      onStart: () => sleep(1_000),
    });
    expect(result).toMatchObject({ kind: 'not_started', code: 'aborted' });
    await sleep(1_000);
    await expect(readFile(join(folder, 'acted'))).rejects.toThrow('ENOENT');
  });
});

describe('output', () => {
  it('of any size is drained in bounded memory', async () => {
    const settle = async () => {
      globalThis.gc?.();
      await sleep(50);
      return process.memoryUsage().rss;
    };
    await exited(['sh', '-c', 'head -c 20M /dev/zero']);
    const before = await settle();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 10);
    const result = await exited(['sh', '-c', 'echo first; yes 0123456789abcde | head -c 300M; echo last']);
    clearInterval(watch);
    expect(result.stdout.totalBytes).toBe(300 * 2 ** 20 + 11);
    expect(result.stdout.text.startsWith('first\n0123')).toBe(true);
    expect(result.stdout.text.endsWith('last\n')).toBe(true);
    expect(result.stdout.text).toContain(`… ${result.stdout.omittedBytes} bytes omitted …\n0123456789abcde\n`);
    expect(result.stdout.text.length).toBeLessThan(2 * 64 * 1024 + 100);
    expect((peak - before) / 2 ** 20).toBeLessThan(20);
  });

  it('of both streams can be told as one story', async () => {
    const result = await exited(['sh', '-c', 'echo a; sleep 0.2; echo b >&2; sleep 0.2; echo c'], {
      mergeOutput: true,
    });
    expect(result.stdout.text).toBe('a\nb\nc\n');
    expect(result.stderr).toEqual(result.stdout);
  });
});

it('leaves no descriptor open', async () => {
  const open = () => readdirSync('/proc/self/fd').length;
  await exited(['true'], { stdin: '{}', onStart: async () => {} });
  const before = open();
  for (let round = 0; round < 50; round += 1) await exited(['true'], { stdin: '{}', onStart: async () => {} });
  await sleep(100);
  expect(open()).toBeLessThanOrEqual(before + 2);
});

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** The same strings in every run: a small linear generator picks from what shells, terminals and parsers stumble on. */
function hostileStrings(count: number): readonly string[] {
  const pieces = [
    '',
    ' ',
    '"',
    "'",
    '\\',
    '\n',
    '\r',
    '\t',
    '$(touch acted)',
    '`touch acted`',
    ['$', '{HOME}'].join(''),
    '$@',
    '*',
    '~',
    ';',
    '&&',
    '|',
    '>',
    '<',
    '#',
    '!',
    '%s',
    '--',
    '-n',
    '-c',
    '=',
    'é',
    '漢字',
    '😀',
    '\u202e',
    '\u0001',
    '\u007f',
    '&3',
    'go',
    'a b',
  ];
  let seed = 42;
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: next(6) }, () => pieces[next(pieces.length)]).join(''),
  );
}

function inChunks<T>(items: readonly T[], size: number): readonly T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
