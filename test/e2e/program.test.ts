/** The built program where the world is unkind to it: a reader that leaves, a full disk, files of somebody else, a taken port. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { homeWith } from '../config/homes.ts';
import { brainstem } from '../estate/program.ts';

const MAIN = resolve(import.meta.dirname, '../../dist/main.js');
const STACK = /^\s+at .+:\d+:\d+/m;

function shell(script: string) {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], {
    env: { ...process.env, BRAINSTEM: `${process.execPath} ${MAIN}` },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** Root reads everything, unless this capability is taken from it. */
function withoutPrivileges(argv: readonly string[]) {
  const drop = '-dac_override,-dac_read_search';
  const command = [process.execPath, MAIN, ...argv];
  const [program = '', ...rest] =
    process.getuid?.() === 0 ? ['setpriv', `--bounding-set=${drop}`, `--inh-caps=${drop}`, ...command] : command;
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8', timeout: 20_000 });
  return { status, stdout, stderr };
}

describe('output', () => {
  test('a reader that leaves early is no error', () => {
    const { stdout, stderr } = shell('$BRAINSTEM schema | head -c 1; $BRAINSTEM explain http | true');
    expect({ stdout, stderr }).toEqual({ stdout: '{', stderr: '' });
  });

  test.skipIf(process.platform !== 'linux')('a disk that is full is one, in one line', () => {
    const { status, stderr } = shell('$BRAINSTEM explain > /dev/full');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('ENOSPC') });
    expect(stderr).not.toMatch(STACK);
  });
});

test('what a target sends, or a file is called, never steers the terminal', async () => {
  const evil = '\u001b]0;owned\u0007\u009b2J\u202e';
  const target = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ [evil]: evil, status: evil }));
  });
  await new Promise<void>((listening) => target.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void target.close());
  const { port } = target.address() as AddressInfo;
  const set = ['--type', 'http', '--set', `url=http://127.0.0.1:${port}/`, '--expect', 'json.status == "ok"'];
  const home = await homeWith({ [`probes/${evil}.yaml`]: `probes: [{ name: a, "${evil}": 1 }]\n` });
  for (const argv of [
    ['probe', ...set],
    ['probe', ...set, '--json'],
    ['validate', '--home', home],
  ]) {
    const { out, err } = await brainstem(argv);
    expect(out + err).toContain('owned');
    expect(out + err).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  }
});

describe.skipIf(process.platform !== 'linux')('files of somebody else', () => {
  test('a folder that cannot be read is named, beside every other problem', async () => {
    const home = await homeWith({ 'probes/a.yaml': 'probes: [{ name: a }]\n', 'probes/locked/b.yaml': '' });
    await chmod(join(home, 'probes/locked'), 0o000);
    const { status, stderr } = withoutPrivileges(['validate', '--home', home]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^probes\/a\.yaml:1:10: .*\nprobes\/locked:1:1: cannot be read: EACCES/),
    });
    expect(stderr).not.toMatch(STACK);
  });

  test.each(['data', 'data/brainstem.db'])('a store whose %s is closed says who must own it', async (closed) => {
    const home = await homeWith({ 'brainstem.yml': 'http: { listen: "127.0.0.1:0" }\n' });
    await mkdir(join(home, 'data'));
    await writeFile(join(home, 'data/brainstem.db'), '');
    await chmod(join(home, closed), 0o000);
    const { status, stderr } = withoutPrivileges(['run', '--home', home]);
    await chmod(join(home, closed), 0o700);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/cannot be written \(EACCES\): .*must belong to the user that runs the daemon/),
    });
  });
});

test('a port that is taken says what to do', async () => {
  const other = createTcpServer();
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const home = await homeWith({ 'brainstem.yml': `http: { listen: "127.0.0.1:${port}" }\n` });
  const { code, err } = await brainstem(['run', '--home', home]);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/EADDRINUSE.*http\.listen/) });
});
