import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileSchemas, type JsonSchema, SCHEMA_NAMES } from '../../src/config/json-schema.ts';
import { fieldRows, optionRows } from '../../src/config/reference.ts';
import { referencePages } from '../../src/config/reference-pages.ts';
import { dashboardFiles } from '../../src/dashboards/index.ts';
import { registries } from '../../src/registries.ts';
import { problems } from './homes.ts';

const ROOT = join(import.meta.dirname, '../..');

/** An example as an item of a list, whether it was written with its dash or without. */
function item(example: string): string {
  const lines = example.trim().split('\n');
  const dashed = lines[0]?.startsWith('- ') ? lines : lines.map((line, index) => `${index === 0 ? '- ' : '  '}${line}`);
  return dashed.map((line) => `  ${line}\n`).join('');
}

/** Those that docs/custom-probes.md shows, by file. */
async function shownModules(): Promise<Record<string, string>> {
  const page = await readFile(join(ROOT, 'docs/custom-probes.md'), 'utf8');
  const blocks = page.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g);
  return Object.fromEntries([...blocks].map(([, name = '', text = '']) => [name, text]));
}

describe('the example of', () => {
  for (const type of Object.values(registries.probeTypes)) {
    test(`the probe type ${type.name} loads`, async () => {
      const files = type.moduleOption === undefined ? {} : await shownModules();
      const manifest = type.readsManifest ? { 'credentials.yaml': 'variables: []\n' } : {};
      expect(await problems({ ...files, ...manifest, 'probes/a.yaml': `probes:\n${item(type.example)}` })).toEqual([]);
    });
  }

  for (const type of Object.values(registries.actionTypes)) {
    test(`the action type ${type.name} loads`, async () => {
      expect(await problems({ 'remediations/a.yaml': `remediations:\n${item(type.example)}` })).toEqual([]);
    });
  }

  for (const type of Object.values(registries.notifierTypes)) {
    test(`the notifier ${type.name} loads`, async () => {
      const lines = type.example.trim().split('\n');
      const text =
        lines[0] === 'notifiers:' ? lines.join('\n') : `notifiers:\n${lines.map((line) => `  ${line}`).join('\n')}`;
      expect(await problems({ 'brainstem.yml': `${text}\n` })).toEqual([]);
    });
  }
});

describe('the files that are generated', () => {
  test.each(SCHEMA_NAMES)('schema/%s.json is up to date', async (name) => {
    const written = await readFile(join(ROOT, `schema/${name}.json`), 'utf8');
    expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify(fileSchemas(registries)[name])));
  });

  test.each(['probes', 'actions', 'notifiers'] as const)('docs/reference/%s.md is up to date', async (name) => {
    expect(await readFile(join(ROOT, `docs/reference/${name}.md`), 'utf8')).toBe(referencePages(registries)[name]);
  });

  test.each(Object.entries(dashboardFiles()))('dashboards/%s.json is up to date', async (name, text) => {
    expect(await readFile(join(ROOT, `dashboards/${name}.json`), 'utf8')).toBe(text);
  });
});

describe('the schema for editors', () => {
  const at = (schema: unknown, ...path: string[]) =>
    path.reduce((value, key) => (value as Record<string, unknown>)[key], schema) as JsonSchema;
  const probe = at(fileSchemas(registries), 'probes', 'properties', 'probes', 'items');

  test('refuses keys that are not known, and wants exactly one type', () => {
    expect(probe['additionalProperties']).toBe(false);
    expect(probe['oneOf']).toContainEqual({ required: ['http'] });
    expect(at(probe, 'properties', 'tcp', 'additionalProperties')).toBe(false);
  });

  test('takes a substitution wherever a number, a boolean or a choice is wanted', () => {
    const substitution = { type: 'string', pattern: '\\$\\{.+\\}' };
    for (const key of ['fail_after', 'paused', 'severity', 'depends_on']) {
      expect(at(probe, 'properties', key)['anyOf']).toContainEqual(substitution);
    }
    expect(at(probe, 'properties', 'tcp', 'properties', 'port')['anyOf']).toContainEqual(substitution);
  });

  test('lets a type without required options stand alone', () => {
    expect(at(probe, 'properties', 'host')['anyOf']).toContainEqual({ type: 'null' });
  });

  test('marks secrets', () => {
    const notifier = at(fileSchemas(registries), 'brainstem', 'properties', 'notifiers', 'additionalProperties');
    expect(JSON.stringify(at(notifier, 'properties', 'slack', 'properties', 'token'))).toContain('"writeOnly":true');
  });
});

describe('the reference', () => {
  test('has every option of a type, the main one first, nested ones dotted', () => {
    const { spec, mainOption } = registries.probeTypes['http'] ?? { spec: undefined, mainOption: '' };
    const rows = spec === undefined ? [] : optionRows(spec, mainOption);
    expect(rows[0]).toMatchObject({ name: 'url', required: true, type: 'text' });
    expect(rows.find(({ name }) => name === 'redirects')).toMatchObject({ fallback: '10', required: false });
    expect(rows.find(({ name }) => name === 'auth.oauth2.client_secret')).toMatchObject({
      secret: true,
      required: true,
    });
  });

  test('has every field with its unit, those of all types first', () => {
    const rows = fieldRows({
      depth: { type: { now: { type: 'double', unit: 'items', summary: 'Jobs' } }, summary: '' },
    });
    expect(rows.map(({ name }) => name)).toEqual(['ok', 'reason', 'latency_ms', 'error', 'depth.now']);
    expect(rows.at(-1)).toMatchObject({ type: 'number', unit: 'items' });
  });
});
