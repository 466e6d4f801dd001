import { existsSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import type { probeSchema } from '../../src/config/file-schemas.ts';
import { hashHome } from '../../src/config/files.ts';
import type { ProbeDefinition, ProbeKeys } from '../../src/shared/modules/define-probe.ts';
import { homeWith, load, loadHome, only, problems, writeInto } from './homes.ts';

/** A module whose definition holds these lines. */
function moduleWith(...lines: readonly string[]): string {
  return [
    `import { defineProbe } from 'brainstem';`,
    'export default defineProbe({',
    ...lines.map((line) => `  ${line}`),
    '  async run() { return { waiting: 1 }; },',
    '});',
    '',
  ].join('\n');
}

const QUEUE = moduleWith(
  `name: 'queue',`,
  `title: 'The queue',`,
  `every: '20s',`,
  `fields: { waiting: { type: 'double', unit: 'files', summary: 'Files that wait' } },`,
  `expect: ['waiting < 100', 'other == "x"'],`,
  `warn: ['avg("waiting", "5m") < 50'],`,
  `severity: 'critical',`,
  `labels: { team: 'web' },`,
  `depends_on: ['disk'],`,
  `export: ['waiting'],`,
  `env: { SPOOL: '\${SPOOL:-/var/spool}' },`,
  `secrets: { token: '\${QUEUE_TOKEN}' },`,
  `options: { deep: { list: [1, 2] } },`,
);
const DISK = 'probes:\n  - name: disk\n    host: {}\n';
const TOKEN = ['token', 'of', 'the', 'queue'].join('-');

describe('a module', () => {
  test('with a name is a probe like any other', async () => {
    const { probes, secrets, warnings } = await load(
      { 'probes/jobs/queue.ts': QUEUE, 'probes/disk.yaml': DISK },
      { QUEUE_TOKEN: TOKEN },
    );
    expect(probes.get('queue')).toMatchObject({
      ...{ title: 'The queue', type: 'custom', target: './queue.ts', group: 'queue', severity: 'critical' },
      ...{ schedule: { kind: 'interval', everyMs: 20_000 }, labels: { team: 'web' }, dependsOn: ['disk'] },
      ...{ exportFields: ['waiting'], unset: [] },
      spec: {
        module: './queue.ts',
        env: { SPOOL: '/var/spool' },
        secrets: { token: TOKEN },
        options: { deep: { list: [1, 2] } },
      },
      location: { file: 'probes/jobs/queue.ts', line: 2, column: 16 },
    });
    expect(secrets).toEqual([TOKEN]);
    expect(warnings).toEqual([]);
  });

  test('waits for a variable that is not set', async () => {
    const { probes } = await load({ 'probes/queue.ts': QUEUE, 'probes/disk.yaml': DISK });
    expect(probes.get('queue')?.unset).toEqual(['QUEUE_TOKEN']);
  });

  test('without a name is there for probes in YAML, which take its fields', async () => {
    const files = { 'probes/a/m.ts': moduleWith(`fields: { waiting: { type: 'double', summary: '' } },`) };
    const probe = (condition: string) =>
      `probes:\n  - name: web\n    custom: { module: ../a/m.ts }\n    expect: [${condition}]\n`;
    const { probes } = await load({ ...files, 'probes/b/p.yaml': probe('waiting < 1') });
    expect(only(probes).module?.file).toBe('probes/a/m.ts');
    expect(await problems({ ...files, 'probes/b/p.yaml': probe('waiting == "x"') })).toEqual([
      expect.stringContaining('probes/b/p.yaml:4:14: wrong types'),
    ]);
  });

  test.each(['ts', 'js', 'mts', 'mjs'])('may be a file that ends in .%s', async (extension) => {
    const { probes } = await load({ [`probes/m.${extension}`]: moduleWith(`name: 'm',`) });
    expect([...probes.keys()]).toEqual(['m']);
  });

  test('may be plain JavaScript in a home that is a package of modules', async () => {
    const { probes } = await load({ 'package.json': '{ "type": "module" }', 'probes/m.js': moduleWith(`name: 'm',`) });
    expect([...probes.keys()]).toEqual(['m']);
  });

  test('has another revision when what it imports changes, and keeps it otherwise', async () => {
    const home = await homeWith({
      'probes/m.ts': `import { limit } from './lib/limit.ts';\n${moduleWith(`name: 'm',`, 'options: { limit },')}`,
      'probes/other.ts': moduleWith(`name: 'other',`),
      'probes/lib/limit.ts': 'export const limit = 1;\n',
    });
    const revisions = async () => {
      const { probes } = await loadHome(home);
      return [probes.get('m')?.targetRevision, probes.get('other')?.targetRevision];
    };
    const [before, hash] = [await revisions(), await hashHome(home)];
    expect(await revisions()).toEqual(before);
    await writeInto(home, { 'probes/lib/limit.ts': 'export const limit = 1; // the same\n' });
    expect(await hashHome(home)).not.toBe(hash);
    const after = await revisions();
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).toBe(before[1]);
  });

  test('is found behind symbolic links, with what it imports', async () => {
    const real = await homeWith({
      'one/m.ts': `import { limit } from './limit.ts';\n${moduleWith(`name: 'm',`, 'options: { limit },')}`,
      'one/limit.ts': 'export const limit = 1;\n',
    });
    await symlink(join(real, 'one'), join(real, 'probes'));
    const home = join(await homeWith({}), 'home');
    await symlink(real, home);
    const { probes, warnings } = await loadHome(home);
    expect(only(probes).spec).toMatchObject({ options: { limit: 1 } });
    expect(warnings).toEqual([]);
  });

  test('that nobody runs is doubtful', async () => {
    const { warnings } = await load({
      'probes/nameless.ts': moduleWith(),
      'probes/helper.ts': 'export const limit = 1;\n',
      'probes/types.d.ts': 'export type Limit = number;\n',
    });
    expect(warnings.map(({ location, message }) => `${location.file}:${location.line}: ${message}`)).toEqual([
      'probes/helper.ts:1: defines no probe, and no module imports it; a probe is export default defineProbe({ … })',
      'probes/nameless.ts:3: has no "name", and no probe in YAML names it: it never runs',
    ]);
  });
});

describe('is refused, with its place:', () => {
  const NAMED = `name: 'm',`;
  test.each([
    ['an unknown key', moduleWith(NAMED, 'evry: 5,'), '4:3: unknown key "evry" (did you mean "every"?)'],
    [
      'a wrong value',
      moduleWith(NAMED, `every: 'often',`),
      '4:10: "every" is not a duration; write 500ms, 30s, 5m or 1h30m',
    ],
    [
      'a slip in a condition',
      moduleWith(NAMED, `fields: { waiting: { type: 'double', summary: '' } },`, `expect: ['1 < 2 && wating < 3'],`),
      '5:22: unknown field `wating` (did you mean "waiting"?); a field of that name must be declared',
    ],
    [
      'a field of a wrong type',
      moduleWith(NAMED, `fields: { waiting: { type: 'int', summary: '' } },`),
      '4:30: "type" must be one of double, string, bool, list, map, dyn or a mapping, got "int"',
    ],
    [
      'a field that all probes have',
      moduleWith(NAMED, `fields: { ok: { type: 'bool', summary: '' } },`),
      '4:13: "ok" is what Brainstem says itself; take another name',
    ],
    [
      'a key of a probe that has no name',
      moduleWith(`every: '5s',`),
      '3:3: "every" belongs to a probe, and this module has no "name"; write it in the YAML that names the module',
    ],
    ['a type of its own', moduleWith(NAMED, 'http: {},'), 'has two probe types'],
    ['what is no data', moduleWith(NAMED, 'options: { call() {} },'), '1:1: the definition.options.call is a function'],
    ['an error while it loads', `const x: number = 1;\n\nthrow new Error(\`no \${x}\`);\n`, '3:7: Error: no 1'],
    ['what it imports failing', `import './lib/broken.ts';\n`, 'probes/lib/broken.ts:2:9: RangeError: broken'],
    ['a missing import', `import './nowhere.ts';\n`, `Cannot find module './nowhere.ts'`],
    ['a mistake in its text', 'export default {\n  name: = 1,\n};\n', '2:9: Unexpected token'],
    ['an exit while it loads', 'process.exit(4);\n', '1:1: ended its thread while loading (exit code 4)'],
    ['no function run', `export default { name: 'm' };\n`, '1:1: the definition has no function "run"'],
    ['another export', 'export default 5;\n', '1:1: exports no definition; write export default defineProbe'],
    ['all of the memory', 'const all = []; for (;;) all.push(new Array(10000).fill(0).map(String));\n', 'memory'],
  ])('%s', async (_what, text, expected) => {
    const found = await problems({
      'probes/m.ts': text,
      ...(text.includes('broken') && { 'probes/lib/broken.ts': 'if (true)\n  throw new RangeError("broken");\n' }),
    });
    expect(found.join('\n')).toContain(expected);
    expect(found.every((line) => /^probes\/[\w/]+\.ts:\d+:\d+: /.test(line))).toBe(true);
  });

  test.each(['for (;;) ;\n', 'await new Promise(() => undefined);\n'])(
    'one that never finishes loading: %j, while the others are looked at too',
    async (text) => {
      const found = await problems({ 'probes/m.ts': text, 'probes/n.ts': moduleWith(`nmae: 'n',`, `name: 'n',`) });
      expect(found).toEqual([
        'probes/m.ts:1:1: did not finish loading within 10s',
        'probes/n.ts:3:3: unknown key "nmae" (did you mean "name"?)',
      ]);
    },
  );

  test('not one that falls into what another left in the thread', async () => {
    const found = await problems({
      'probes/a.ts': `globalThis.trap = () => process.exit(1);\n${moduleWith(`name: 'a',`)}`,
      'probes/b.ts': `globalThis.trap?.();\n${moduleWith(`name: 'b',`, 'nmae: 1,')}`,
    });
    expect(found).toEqual(['probes/b.ts:5:3: unknown key "nmae" (did you mean "name"?)']);
  });

  test('a module that is not there', async () => {
    const files = { 'probes/a.yaml': 'probes:\n  - name: web\n    custom: { module: ./queeu.ts }\n' };
    expect(await problems({ ...files, 'probes/queue.ts': moduleWith() })).toEqual([
      'probes/a.yaml:3:23: there is no module probes/queeu.ts (did you mean "probes/queue.ts"?)',
    ]);
    expect(await problems(files)).toEqual([
      'probes/a.yaml:3:23: there is no module probes/queeu.ts; modules stand below probes/',
    ]);
  });
});

test('what docs/custom-probes.md shows loads', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/custom-probes.md'), 'utf8');
  const blocks = page.matchAll(/```(?:ts|yaml)\n(?:\/\/|#) (\S+)\n([\s\S]*?)```/g);
  const shown = Object.fromEntries([...blocks].map(([, name = '', text = '']) => [name, text]));
  const { probes, warnings } = await load(shown);
  expect([...probes.keys()].toSorted()).toEqual(['backlog', 'fax-queue', 'mail-queue']);
  expect(warnings).toEqual([]);
});

test('the package exports defineProbe, with its types', () => {
  const path = createRequire(import.meta.url).resolve('brainstem');
  expect(path).toBe(join(import.meta.dirname, '../../dist/shared/modules/define-probe.js'));
  expect(existsSync(path.replace(/\.js$/, '.d.ts'))).toBe(true);
});

test('the types of a definition have the keys of every probe', () => {
  type Later = 'each' | 'drill' | 'vantage';
  expectTypeOf<keyof ProbeKeys | 'name'>().toEqualTypeOf<Exclude<keyof z.input<typeof probeSchema>, Later>>();
  type Keys = Omit<z.input<typeof probeSchema>, Later | 'name'>;
  expectTypeOf<ProbeDefinition['severity']>().toEqualTypeOf<Keys['severity']>();
  expectTypeOf<ProbeDefinition['every']>().toEqualTypeOf<Keys['every']>();
});
