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
    const named = [...page(path).matchAll(/`((?:src|test|scripts|docs|schema)\/[\w./-]*[\w/])`/g)];
    expect(named.map(([, name = '']) => name).filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
  });
});

/** YAML blocks that begin with the name of their file; one that goes on says so and is not a file by itself. */
function examples(path: string): Record<string, string> {
  const blocks = [...page(path).matchAll(/```yaml\n# (\S+\.ya?ml)\n([\s\S]*?)```/g)];
  return Object.fromEntries(blocks.map(([, name = '', text = '']) => [name, text]));
}

describe('examples', () => {
  it.each(['README.md', 'docs/healing.md', 'docs/alerts.md'])('%s shows files that load', async (path) => {
    const files = examples(path);
    expect(Object.keys(files).length).toBeGreaterThan(0);
    home = await createHome(files);
    const configuration = await loadConfiguration(home.path, { registries, environment: {} });
    const expected = Object.keys(files).filter((name) => name !== 'brainstem.yml').length;
    expect(configuration.probes.size + configuration.remediations.size).toBe(expected);
  });

  it('the ladder that the README adds to its probe loads with it', async () => {
    const text = page('README.md');
    const [, addition = ''] = /```yaml\n# probes\/shop\.yaml, added to the probe\n([\s\S]*?)```/.exec(text) ?? [];
    const files = examples('README.md');
    home = await createHome({ ...files, 'probes/shop.yaml': `${files['probes/shop.yaml']}${addition}` });
    const { probes } = await loadConfiguration(home.path, { registries, environment: {} });
    expect(probes.get('shop')?.remediate[0]?.rungs).toEqual([{ remediation: 'restart-shop', tries: 1 }]);
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

  it('docs/store.md names every table', () => {
    const migrations = readdirSync(join(ROOT, 'src/store/migrations')).map((name) =>
      page(`src/store/migrations/${name}`),
    );
    const created = [...migrations.join('').matchAll(/CREATE TABLE (\w+)/g)].map(([, table]) => table);
    const known = [...created, 'schema_migrations', 'results_YYYYMMDD'];
    expect(firstCells('docs/store.md').sort()).toEqual(known.sort());
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
