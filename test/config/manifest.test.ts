/** credentials.yaml: what it says of variables, and what becomes of their values. */
import { describe, expect, test } from 'vitest';
import { hashHome } from '../../src/config/files.ts';
import { homeWith, load, loadHome, only, problems, problemsOf, writeInto } from './homes.ts';

const PROBE = { 'probes/a.yaml': 'probes:\n  - name: variables\n    environment:\n' };
const manifest = (...entries: string[]) => ({
  'credentials.yaml': `variables:\n${entries.map((entry) => `  - { ${entry} }\n`).join('')}`,
});
const VALUE = ['a', 'value', 'of', 'its', 'own'].join('-');

describe('a manifest', () => {
  test('says of each variable whose it is and how it stands, and never its value', async () => {
    const files = manifest(
      'name: SET, owner: platform, needed_by: [api, worker], rotate: docs/rotate.md, secret: true',
      'name: EMPTY',
      'name: ABSENT',
      'name: SHAPED, pattern: "^a-"',
      'name: MISSHAPEN, pattern: "^b-"',
      'name: OPTIONAL, required: false',
    );
    const { probes } = await load({ ...files, ...PROBE }, { SET: VALUE, EMPTY: '', SHAPED: VALUE, MISSHAPEN: VALUE });
    const { manifest: read } = only(probes);
    expect(read).toEqual([
      {
        name: 'SET',
        owner: 'platform',
        neededBy: ['api', 'worker'],
        rotate: 'docs/rotate.md',
        required: true,
        state: 'set',
      },
      { name: 'EMPTY', neededBy: [], required: true, state: 'missing' },
      { name: 'ABSENT', neededBy: [], required: true, state: 'missing' },
      { name: 'SHAPED', neededBy: [], required: true, state: 'set' },
      { name: 'MISSHAPEN', neededBy: [], required: true, state: 'invalid' },
      { name: 'OPTIONAL', neededBy: [], required: false, state: 'missing' },
    ]);
    expect(JSON.stringify(read)).not.toContain(VALUE);
  });

  test('looks at .env, over which the environment wins', async () => {
    const files = { ...manifest('name: A, pattern: "^1$"', 'name: B, pattern: "^1$"'), ...PROBE, '.env': 'A=1\nB=2\n' };
    const { probes } = await load(files, { B: '1' });
    expect(only(probes).manifest?.map(({ state }) => state)).toEqual(['set', 'set']);
  });

  test('makes secrets of the variables that it marks, whoever uses them', async () => {
    const files = manifest('name: MARKED, secret: true', 'name: PLAIN');
    const { secrets } = await load(files, { MARKED: VALUE, PLAIN: `plain-${VALUE}` });
    expect(secrets).toEqual([VALUE]);
  });

  test('warns of a secret that is too short to be redacted', async () => {
    const { warnings } = await load(manifest('name: MARKED, secret: true'), { MARKED: 'abc' });
    expect(warnings).toMatchObject([
      { location: { file: 'credentials.yaml', line: 2, column: 13 }, message: expect.stringContaining('shorter') },
    ]);
    expect(JSON.stringify(warnings)).not.toContain('abc');
  });

  test('that is empty expects nothing', async () => {
    for (const text of ['', '# nothing yet\n', 'variables:\n', 'variables: []\n']) {
      expect(only((await load({ 'credentials.yaml': text, ...PROBE })).probes).manifest).toEqual([]);
    }
  });

  test('that changes, or whose variables do, is another definition and the same target', async () => {
    const home = await homeWith({ ...manifest('name: A'), ...PROBE });
    const before = only((await loadHome(home)).probes);
    const after = only((await loadHome(home, { A: VALUE })).probes);
    expect(after.revision).not.toBe(before.revision);
    expect(after.targetRevision).toBe(before.targetRevision);
    const hash = await hashHome(home);
    await writeInto(home, manifest('name: A', 'name: B'));
    expect(await hashHome(home)).not.toBe(hash);
    expect(only((await loadHome(home)).probes).manifest).toHaveLength(2);
  });
});

describe('what is wrong with it has its place', () => {
  test.each<[string, string, RegExp]>([
    ['a misspelt key', 'name: A, pattren: x', /^credentials.yaml:2:16: unknown key "pattren".*pattern/],
    ['a name that is none', 'name: a-b', /^credentials.yaml:2:13: .*name of a variable/],
    ['a pattern that is none', 'name: A, pattern: "("', /^credentials.yaml:2:25: .*RE2/],
    ['a word for a truth value', 'name: A, secret: perhaps', /^credentials.yaml:2:24: /],
    ['no name', 'owner: platform', /^credentials.yaml:2:/],
  ])('%s', async (_name, entry, message) => {
    const found = await problems({ ...manifest(entry), ...PROBE });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });

  test('a variable that stands twice', async () => {
    expect(await problems(manifest('name: A', 'name: A'))).toEqual([
      expect.stringMatching(/^credentials.yaml:3:13: .*A stands twice/),
    ]);
  });

  test('a list where the whole should be, and YAML that is none', async () => {
    expect(await problems({ 'credentials.yaml': '- name: A\n' })).toEqual([
      expect.stringMatching(/^credentials.yaml:1:1: /),
    ]);
    expect(await problems({ 'credentials.yaml': 'variables: [\n', ...PROBE })).toEqual([
      expect.stringMatching(/^credentials.yaml:/),
    ]);
  });

  test('no manifest for a probe that is about it', async () => {
    const home = await homeWith(PROBE);
    expect(await problemsOf(home)).toEqual([
      'probes/a.yaml:3:5: needs the manifest credentials.yaml in the home, and there is none',
    ]);
  });
});
