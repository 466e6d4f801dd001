/**
 * Writes what is generated: from the source the JSON Schemas in `schema/`, the reference in `docs/reference/` and the Grafana
 * dashboards in `dashboards/`; `docs/estate.md` from the definitions of this repository.
 * `--check` writes nothing and exits 1 when a file is stale, naming it.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileSchemas } from '../src/config/json-schema.ts';
import { referencePages } from '../src/config/reference-pages.ts';
import { dashboardFiles } from '../src/dashboards/index.ts';
import { codeOf } from '../src/errors.ts';
import { registries } from '../src/registries.ts';
import { estatePage } from './estate-page.ts';

const ROOT = join(import.meta.dirname, '..');

async function generated(): Promise<ReadonlyMap<string, string>> {
  const schemas = Object.entries(fileSchemas(registries)).map(
    ([name, schema]) => [`schema/${name}.json`, `${JSON.stringify(schema, undefined, 2)}\n`] as const,
  );
  const pages = Object.entries(referencePages(registries)).map(
    ([name, text]) => [`docs/reference/${name}.md`, text] as const,
  );
  const dashboards = Object.entries(dashboardFiles()).map(([name, text]) => [`dashboards/${name}.json`, text] as const);
  return new Map([...schemas, ...pages, ...dashboards, ['docs/estate.md', await estatePage(ROOT)]]);
}

async function current(path: string): Promise<string | undefined> {
  try {
    return await readFile(join(ROOT, path), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(ROOT, path)), { recursive: true });
  await writeFile(join(ROOT, path), text);
}

const onlyCheck = process.argv.includes('--check');
for (const [path, text] of await generated()) {
  if ((await current(path)) === text) continue;
  if (onlyCheck) {
    console.error(`${path} is stale: run npm run generate`);
    process.exitCode = 1;
  } else {
    await write(path, text);
    console.log(`wrote ${path}`);
  }
}
