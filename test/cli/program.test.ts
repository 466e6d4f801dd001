import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from './program.ts';

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'brainstem-program-'));
});

afterAll(() => rmSync(home, { recursive: true }));

const COMMANDS = [
  'run',
  'validate',
  'probe',
  'notify',
  'status',
  'incidents',
  'incidents list',
  'incidents show',
  'incidents ack',
  'incidents resolve',
  'incidents comment',
  'remediate',
  'freeze',
  'unfreeze',
  'arm',
  'silence',
  'silence add',
  'silence list',
  'silence expire',
  'backup',
  'restore',
  'explain',
  'schema',
  'init',
  'doctor',
];

describe('help', () => {
  test.each(COMMANDS)('of %s has an example that starts like it', async (command) => {
    const { exit, out } = await runCommand([...command.split(' '), '--help']);
    expect(exit).toBe(0);
    expect(out).toContain(`Examples:\n  brainstem ${command}`);
    expect(out).toContain('--home <dir>');
  });

  test('names every command, and lists have --json', async () => {
    const { out } = await runCommand(['--help']);
    for (const command of COMMANDS.filter((name) => !name.includes(' ')))
      expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    for (const command of [
      'validate',
      'probe',
      'notify',
      'status',
      'incidents list',
      'incidents show',
      'explain',
      'doctor',
      'remediate',
    ]) {
      expect((await runCommand([...command.split(' '), '--help'])).out).toContain('--json');
    }
  });

  test('version', async () => {
    expect(await runCommand(['--version'])).toEqual({ exit: 0, out: '1.2.3\n', err: '' });
  });
});

describe('wrong usage exits 2', () => {
  test.each([
    [['stats'], "unknown command 'stats'\n(Did you mean status?)"],
    [['status', '--jsn'], "unknown option '--jsn'\n(Did you mean --json?)"],
    [['arm'], "missing required argument 'name'"],
    [['arm', 'one', 'two'], 'too many arguments'],
    [['remediate', 'restart'], "required option '--probe <name>' not specified"],
    [['incidents', 'comment', '7'], "missing required argument 'text'"],
    [['probe'], 'name a probe'],
    [
      ['incidents', 'show', 'seven'],
      'It is the number of an incident, such as 7: `brainstem incidents list --all` shows',
    ],
    [['incidents', 'ack', '9'.repeat(20)], 'It is the number of an incident'],
    [['incidents', 'list', '--limit', '501'], 'It is a whole number from 1 to 500.'],
    [['silence', 'expire', 'x'], 'It is the number of a silence, such as 7'],
    [['silence', 'add', '--matcher', 'a=b', '--comment', 'c', '--for', 'soon'], 'It is a duration, such as 30m'],
    [['silence', 'add', '--matcher', 'a=b', '--comment', 'c', '--for', '0'], 'It is a duration, such as 30m'],
  ])('%j', async (argv, message) => {
    expect(await runCommand([...argv, '--home', home])).toMatchObject({
      exit: 2,
      err: expect.stringContaining(message),
    });
  });

  test('no command at all shows help', async () => {
    expect(await runCommand([])).toMatchObject({ exit: 2, err: expect.stringContaining('Usage: brainstem') });
  });
});

test('an unknown probe brings the nearest name, or names what there is and counts what is left out', async () => {
  const folder = await mkdtemp(join(home, 'names-'));
  await mkdir(join(folder, 'probes'));
  const entries = (count: number) =>
    Array.from({ length: count }, (_, index) => `  - { name: page-${index}, icmp: { host: 127.0.0.1 } }`).join('\n');
  const ask = async (count: number, name: string) => {
    await writeFile(join(folder, 'probes/all.yaml'), `probes:\n${entries(count)}\n`);
    return runCommand(['probe', name, '--home', folder]);
  };
  expect(await ask(30, 'pgae-7')).toEqual({
    ...{ exit: 2, out: '', err: 'brainstem: no probe is called "pgae-7" (did you mean "page-7"?)\n' },
  });
  expect((await ask(3, 'nosuch')).err).toBe(
    'brainstem: no probe is called "nosuch"; there are: page-0, page-1, page-2\n',
  );
  expect((await ask(30, 'nosuch')).err).toMatch(/; there are: page-0, .*, page-19, and 10 more\n$/);
});

test('--home may stand before or after the command', async () => {
  for (const argv of [
    ['--home', home, 'validate'],
    ['validate', '--home', home],
  ]) {
    expect(await runCommand(argv)).toMatchObject({ exit: 0, out: expect.stringContaining(`${home} is valid`) });
  }
});

test('commands about files need no daemon', async () => {
  expect(await runCommand(['explain', 'http'])).toMatchObject({ exit: 0, err: '' });
  expect(await runCommand(['explain', 'nothing'])).toMatchObject({ exit: 1 });
  expect(JSON.parse((await runCommand(['schema', 'probes'])).out)).toHaveProperty('$schema');
  expect(await runCommand(['init', join(home, 'new')])).toMatchObject({ exit: 0, err: '' });
  expect((await runCommand(['doctor', '--home', join(home, 'new'), '--json'])).out).toMatch(/^\[/);
  const options = ['--type', 'tcp', '--set', 'host=127.0.0.1', '--set', 'port=1'];
  expect(await runCommand(['probe', ...options, '--json'])).toMatchObject({
    exit: 1,
    out: expect.stringContaining('connect_refused'),
  });
});
