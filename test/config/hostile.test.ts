/** Files that are broken on purpose: none may hang the daemon, fill its memory, or end in anything but a clear refusal. */
import { spawnSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { homeWith, load, problems, problemsOf, writeInto } from './homes.ts';

const WEB = 'probes:\n  - name: web\n    http: { url: "http://127.0.0.1:8080/" }\n';
const refused = (content: string | Buffer) => problems({ 'probes/a.yaml': content });

async function timed(content: string) {
  const startedAt = performance.now();
  return { lines: await refused(content), tookMs: performance.now() - startedAt };
}

describe('a bomb is refused at once', () => {
  test('of aliases to aliases (billion laughs)', async () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const below = level === 0 ? '"lol"' : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array(9).fill(below).join(', ')}]`;
    });
    expect(await refused(`${levels.join('\n')}\n`)).toEqual([expect.stringMatching(/: uses more than 100 aliases$/)]);
  });

  test('of few aliases to large values', async () => {
    const wide = `a: &a [${Array(9_000).fill(1).join(',')}]\n`;
    const uses = `b: [${Array(20).fill('*a').join(',')}]\n`;
    expect(await refused(wide + uses)).toEqual([expect.stringMatching(/: holds more than 100000 values$/)]);
  });

  test.each([
    ['lists in brackets', `probes: ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`],
    ['a megabyte of open brackets', '['.repeat(1_000_000)],
    ['lists in dashes', `${'- '.repeat(10_000)}x\n`],
    ['mappings', `${'{a: '.repeat(10_000)}1${'}'.repeat(10_000)}\n`],
    ['keys of keys', `${'? '.repeat(10_000)}x\n`],
  ])('of depth: %s', async (_, text) => {
    expect(await refused(text)).toEqual([expect.stringMatching(/: is nested deeper than 64 levels$/)]);
  });

  test.each([
    ['of one long value', 'x'.repeat(500_000)],
    ['of references without an end', '${file:'.repeat(70_000)],
    ['of schemes without an end', 'a:'.repeat(250_000)],
    ['of users without an end', '://a'.repeat(125_000)],
  ])('%s', async (_, value) => {
    const [problem] = await refused(`probes:\n  - { name: long, title: "${value}", tcp: {} }\n`);
    expect(problem).toMatch(/^probes\/a\.yaml:2:/);
  });

  test('of size', async () => {
    expect(await refused(`# ${'x'.repeat(1024 * 1024)}\n`)).toEqual([
      'probes/a.yaml:1:1: is larger than 1 MiB (1048579 bytes)',
    ]);
  });

  test('of probes', async () => {
    const file = (part: number) =>
      `probes:\n${Array.from({ length: 2_001 }, (_, index) => `- {name: p${part}-${index}, tcp: {host: h, port: 1}}\n`).join('')}`;
    const files = Object.fromEntries(Array.from({ length: 5 }, (_, part) => [`probes/${part}.yaml`, file(part)]));
    expect(await problems(files)).toEqual(['probes/4.yaml:1998:3: with this one there are more than 10000 probes']);
  });

  const numbers = Array.from({ length: 1_000 }, (_, index) => index).join(',');
  const entries = (count: number, rest: (index: number) => string) =>
    `probes:\n${Array.from({ length: count }, (_, index) => `- { name: p${index}, ${rest(index)} }\n`).join('')}`;

  test.each([
    ['a list', `[${numbers}]`],
    ['the default of a variable', `"\${NUMBERS:-${numbers}}"`],
  ])('of probes, by few aliases to the items of %s', async (_, list) => {
    const text = entries(95, (index) => `exec: { argv: ["{{item}}"] }, each: ${index === 0 ? `&e ${list}` : '*e'}`);
    const { lines, tookMs } = await timed(text);
    expect(lines).toEqual(['probes/a.yaml:12:3: with this one there are more than 10000 probes']);
    expect(tookMs).toBeLessThan(15_000);
  });

  test('of values, in every probe of "each"', async () => {
    const words = `[${Array(5_000).fill('"{{item}}"').join(',')}]`;
    const list = (index: number) => (index === 0 ? `&a ${words}` : '*a');
    const { lines, tookMs } = await timed(entries(5, (index) => `exec: { argv: ${list(index)} }, each: [${numbers}]`));
    expect(lines).toEqual(['probes/a.yaml:2:3: what "each" makes of this comes to more than 500000 values']);
    expect(tookMs).toBeLessThan(5_000);
  });

  test('of documents', async () => {
    const { lines, tookMs } = await timed('---\n'.repeat(200_000));
    expect(lines).toEqual([expect.stringMatching(/^probes\/a.yaml:2:1: a second YAML document begins here/)]);
    expect(tookMs).toBeLessThan(500);
  });

  test('of mistakes: it ends at the first', async () => {
    const { lines, tookMs } = await timed(`[${','.repeat(1_000_000)}]`);
    expect(lines).toEqual(['probes/a.yaml:1:3: not valid YAML: unexpected , in flow sequence']);
    expect(tookMs).toBeLessThan(10_000);
  });

  test('of problems: a hundred are listed', async () => {
    const { lines } = await timed(': \n'.repeat(50_000));
    expect(lines).toHaveLength(101);
    expect(lines[99]).toMatch(/:10\d:\d: the key "null" stands twice; first at 1:1$/);
    expect(lines[100]).toMatch(/:10\d:\d: from here on, what is wrong is not listed: there is more than 100$/);
  });

  test('of problems: what is said a hundred times of one place is one', async () => {
    const text = entries(1, () => `exec: { argv: ["{{item}}"], colour: 1 }, each: [${numbers}]`);
    expect((await timed(`${text}- { name: q, colour: 1 }\n`)).lines).toHaveLength(3);
  });
});

describe('an encoding that is not plain UTF-8 is named', () => {
  test('a byte order mark', async () => {
    expect(await refused(`\uFEFF${WEB}`)).toEqual([
      'probes/a.yaml:1:1: begins with a byte order mark; save it as UTF-8 without one',
    ]);
  });

  test('bytes that are no UTF-8, with their place', async () => {
    const bytes = Buffer.concat([Buffer.from('probes:\n  - name: w'), Buffer.from([0xff, 0xfe])]);
    expect(await refused(bytes)).toEqual(['probes/a.yaml:2:12: is not valid UTF-8 from here on']);
  });

  test('UTF-16', async () => {
    expect(await refused(Buffer.from(`\uFEFF${WEB}`, 'utf16le'))).toEqual([
      'probes/a.yaml:1:1: is not valid UTF-8 from here on',
    ]);
  });
});

describe('keys of Object.prototype', () => {
  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    '%s is an unknown key',
    async (key) => {
      const lines = await problems({
        'brainstem.yml': `${key}: { polluted: true }\n`,
        'probes/a.yaml': `${WEB}    ${key}: { polluted: true }\n`,
        'remediations/a.yaml': `remediations:\n  - name: fix\n    exec: { argv: [x], ${key}: 1 }\n`,
      });
      expect(lines).toEqual([
        `brainstem.yml:1:1: unknown key "${key}"`,
        `probes/a.yaml:4:5: unknown key "${key}"`,
        `remediations/a.yaml:3:24: unknown key "${key}"`,
      ]);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  test('are no types and no names either', async () => {
    expect(await refused('probes:\n  - name: constructor\n    constructor:\n    depends_on: [toString]\n')).toEqual([
      expect.stringMatching(/^probes\/a.yaml:3:5: unknown probe type "constructor"; there are /),
      'probes/a.yaml:4:18: there is no probe "toString"',
    ]);
  });
});

test('every prefix of a good file, byte by byte, loads or is refused with places', async () => {
  const file = [
    'defaults: { every: 30s, labels: &l { team: "wéb" } }   # ünïcode',
    'probes:',
    '  - name: api',
    `    http: { url: "http://127.0.0.1/\${PATH_PART:-x}" }`,
    '    expect:',
    '      - status == 200 && json.status == "ok"',
    "      - 'body.contains(\"it''s\")'",
    '    warn: |',
    '      - no list',
    '    remediate: [{ when: reason in ["timeout"], try: [{ name: fix, tries: 2 }] }]',
    '  - { name: b, tcp: { host: h, port: 1 }, labels: *l, depends_on: [api] }',
    '',
  ].join('\n');
  const bytes = Buffer.from(file);
  const home = await homeWith({ 'remediations/a.yaml': 'remediations: [{ name: fix, exec: { argv: [x] } }]\n' });
  for (let length = 0; length <= bytes.length; length++) {
    await writeInto(home, { 'probes/a.yaml': bytes.subarray(0, length) });
    for (const line of await problemsOf(home)) expect(line).toMatch(/^probes\/a\.yaml:\d+:\d+: \S/);
  }
});

describe('what stands in a home but is no file', () => {
  test('is named when it has the name of one', async () => {
    const home = await homeWith({});
    await mkdir(join(home, 'brainstem.yml'));
    expect(await problemsOf(home)).toEqual(['brainstem.yml:1:1: is not a regular file']);
  });

  test('is passed over below probes', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB });
    await mkdir(join(home, 'probes/empty.yaml'));
    await symlink('/nowhere', join(home, 'probes/dangling.yaml'));
    await symlink('..', join(home, 'probes/loop'));
    await symlink('itself', join(home, 'probes/itself'));
    expect(await problemsOf(home)).toEqual([]);
  });

  test('a pipe or a device below probes is named, and never waited for', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB });
    spawnSync('mkfifo', [join(home, 'probes/pipe.yaml')]);
    await symlink('/dev/zero', join(home, 'probes/zero.yaml'));
    await symlink('/dev/zero', join(home, 'probes/zero.txt'));
    expect(await problemsOf(home)).toEqual([
      'probes/pipe.yaml:1:1: is not a regular file',
      'probes/zero.yaml:1:1: is not a regular file',
    ]);
  });

  test('may be a symbolic link to a file elsewhere', async () => {
    const elsewhere = await homeWith({ 'web.yaml': WEB });
    const home = await homeWith({ 'probes/keep.txt': '' });
    await symlink(join(elsewhere, 'web.yaml'), join(home, 'probes/web.yaml'));
    expect(await problemsOf(home)).toEqual([]);
  });

  test('a home that is not there is refused', async () => {
    expect(await problemsOf('/nowhere/at/all')).toEqual(['/nowhere/at/all:1:1: there is no such folder']);
  });
});

test('one file that cannot be read does not make its definitions count as missing elsewhere', async () => {
  const lines = await problems({
    'probes/a.yaml': 'probes: [\n',
    'probes/b.yaml': `${WEB}    depends_on: [from-a]\n    colour: blue\n`,
  });
  expect(lines).toEqual([
    expect.stringMatching(/^probes\/a.yaml:2:1: not valid YAML/),
    'probes/b.yaml:5:5: unknown key "colour"',
  ]);
});

test('two thousand probes load in seconds', async () => {
  const probes = Array.from(
    { length: 2_000 },
    (_, index) => `  - { name: p${index}, http: { url: "http://127.0.0.1/" }, expect: [status == 200] }`,
  );
  const startedAt = performance.now();
  expect((await load({ 'probes/a.yaml': `probes:\n${probes.join('\n')}\n` })).probes.size).toBe(2_000);
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});
