/**
 * The documentation says what is so: its examples load, its links lead somewhere, and its tables hold neither more nor less than
 * the code.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../src/config/load.ts';
import { ALERT_KINDS, REFUSALS } from '../src/model.ts';
import { probeTypes } from '../src/probe-types/index.ts';
import { registries } from '../src/registries.ts';
import { routes } from '../src/server/routes.ts';
import { DAY_TABLE, TABLES } from '../src/store/tables.ts';
import { createHome, type Daemon, type Home, startDaemon, until } from './estate/daemon.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const page = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** What stands between backticks in the first cells of a page's tables. */
function firstCells(path: string): string[] {
  const cells = page(path).match(/^\| [^|]+ \|/gm) ?? [];
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text));
}

let home: Home | undefined;
let daemon: Daemon | undefined;

afterEach(async () => {
  await daemon?.stop();
  await home?.remove();
  daemon = undefined;
  home = undefined;
});

describe('every page', () => {
  it.each(PAGES)('%s has links that lead to files of this repository', (path) => {
    const targets = [...page(path).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    const missing = targets.filter((target) => !existsSync(join(ROOT, dirname(path), target)));
    expect(missing).toEqual([]);
  });

  it.each(PAGES)('%s names paths that exist', (path) => {
    // A path that stands on a line of its own is the title of a file that the page proposes.
    const text = page(path).replaceAll(/^`[^`]+`$/gm, '');
    const named = [...text.matchAll(/`((?:src|test|scripts|docs|schema)\/[\w./-]*[\w/])`/g)].map(
      ([, name = '']) => name,
    );
    expect(named.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
  });
});

/** YAML blocks that begin with the name of their file, in the order of the page; a file may be shown again. */
function examples(path: string): (readonly [name: string, text: string])[] {
  const blocks = page(path).matchAll(/```yaml\n# (\S+\.ya?ml)\n([\s\S]*?)```/g);
  return [...blocks].map(([, name = '', text = '']) => [name, text]);
}

describe('examples', () => {
  it.each([
    'README.md',
    'docs/healing.md',
    'docs/alerts.md',
    'docs/data-probes.md',
    'docs/message-probes.md',
    'docs/browser.md',
    'docs/recipes.md',
  ])('%s shows files that load', async (path) => {
    const shown = examples(path);
    expect(shown.length).toBeGreaterThan(0);
    // As the page stands at its end, and as it stood before a file was shown again.
    for (const files of [shown, shown.toReversed()].map((blocks) => Object.fromEntries(blocks))) {
      home = await createHome(files);
      const { probes, remediations } = await loadConfiguration(home.path, { registries, environment: {} });
      const definitions = Object.keys(files).filter((name) => name !== 'brainstem.yml');
      expect(probes.size + remediations.size).toBe(definitions.length);
      await home.remove();
    }
  });
});

it('docs/credentials.md shows definitions and a manifest that load', async () => {
  const [, manifest = ''] =
    /```yaml\n# yaml-language-server: \S+\n([\s\S]*?)```/.exec(page('docs/credentials.md')) ?? [];
  home = await createHome({ ...Object.fromEntries(examples('docs/credentials.md')), 'credentials.yaml': manifest });
  const { probes } = await loadConfiguration(home.path, { registries, environment: {} });
  expect([...probes.keys()].toSorted()).toEqual(['github-token', 'session-token', 'variables']);
  expect(probes.get('variables')?.manifest).toHaveLength(2);
});

describe('examples of several probes', () => {
  it.each(['docs/services.md', 'docs/many-instances.md'])('%s shows files that load', async (path) => {
    home = await createHome(Object.fromEntries(examples(path)));
    const { probes, remediations } = await loadConfiguration(home.path, { registries, environment: {} });
    expect(probes.size).toBeGreaterThan(2);
    expect(remediations.size).toBeGreaterThan(0);
  });
});

describe('tables', () => {
  it('docs/healing.md names every refusal', () => {
    expect(firstCells('docs/healing.md').sort()).toEqual([...REFUSALS].sort());
  });

  it('docs/alerts.md names every kind of message', () => {
    expect(firstCells('docs/alerts.md')).toEqual(ALERT_KINDS);
  });

  it('docs/http-api.md names every path', () => {
    const known = routes.map(({ method, path }) => `${method} ${path}`).filter((path) => !/\.\w+$/.test(path));
    expect(firstCells('docs/http-api.md').sort()).toEqual([...known, 'GET /api/v1/openapi.json'].sort());
  });

  it('docs/store.md says of every table what the database says of it', () => {
    const migrations = readdirSync(join(ROOT, 'src/store/migrations')).map((name) =>
      page(`src/store/migrations/${name}`),
    );
    const created = [...migrations.join('').matchAll(/CREATE TABLE (\w+)/g)].map(([, table]) => table);
    expect(Object.keys(TABLES).sort()).toEqual([...created, 'schema_migrations'].sort());
    const facts = { ...TABLES, results_YYYYMMDD: DAY_TABLE };
    const rows = page('docs/store.md').match(/^\| `[a-z_]+(YYYYMMDD)?` \| .* \|$/gm);
    expect(rows?.sort()).toEqual(
      Object.entries(facts)
        .map(([name, { about }]) => `| \`${name}\` | ${about} |`)
        .sort(),
    );
  });

  it('docs/metrics.md names every metric that a daemon exports, and no other', async () => {
    home = await createHome({ 'brainstem.yml': 'http: { listen: "${LISTEN}" }', 'probes/self.yaml': SELF });
    daemon = await startDaemon({ home });
    const { fetch: ask } = daemon;
    const exported = await until(
      async () => {
        const names = [...(await (await ask('/metrics')).text()).matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name);
        return names.includes('probe_success') && names;
      },
      { what: 'the probe to have run' },
    );
    const ofProbeTypes = Object.values(probeTypes).flatMap(({ families }) => families.map(({ name }) => name));
    const known = new Set([...exported, ...ofProbeTypes]);
    expect(firstCells('docs/metrics.md').sort()).toEqual([...known].sort());
  });
});

const SELF = `
probes:
  - name: self
    tcp: { address: "\${LISTEN}" }
    export: [phases.connect_ms]
`;
