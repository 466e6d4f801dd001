import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importProblems } from '../../scripts/imports.ts';

let repository: string;

beforeEach(async () => {
  repository = await mkdtemp(join(tmpdir(), 'brainstem-imports-'));
});

afterEach(() => rm(repository, { recursive: true }));

async function problemsOf(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(repository, path)), { recursive: true });
    await writeFile(join(repository, path), text);
  }
  return importProblems(repository);
}

const LEAF = 'export const x = 1;\n';

describe('import check', () => {
  it('accepts the house as it stands', () => {
    expect(importProblems()).toEqual([]);
  });

  it('lets every room use the leaves', async () => {
    expect(
      await problemsOf({ 'src/errors.ts': LEAF, 'src/engine/a.ts': "export { x } from '../errors.ts';\n" }),
    ).toEqual([]);
  });

  it('names the file and line of an import that runs back up', async () => {
    const engine = "import { x } from '../store/open.ts';\nexport const y = x;\n";
    const problems = await problemsOf({ 'src/store/open.ts': LEAF, 'src/engine/a.ts': `// first line\n${engine}` });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^src\/engine\/a\.ts:2: engine must not import store \(src\/store\/open\.ts\)/);
  });

  it('lets config use the conditions of the engine, and nothing else of it', async () => {
    const config =
      "import { x } from '../engine/condition.ts';\nimport { x as z } from '../engine/plan.ts';\nexport const y = x + z;\n";
    const problems = await problemsOf({
      'src/engine/condition.ts': LEAF,
      'src/engine/plan.ts': LEAF,
      'src/config/a.ts': config,
    });
    expect(problems).toEqual([expect.stringContaining('src/config/a.ts:2: config must not import engine')]);
  });

  it('keeps plug-ins from knowing one another, and lets them share a helper', async () => {
    const problems = await problemsOf({
      'src/probe-types/index.ts':
        "import { x } from './one.ts';\nimport { y } from './two.ts';\nexport const all = { x, y };\n",
      'src/probe-types/helper.ts': LEAF,
      'src/probe-types/one.ts': "export { x } from './helper.ts';\n",
      'src/probe-types/two.ts': "import { x } from './one.ts';\nexport const y = x;\n",
    });
    expect(problems).toEqual([expect.stringContaining('src/probe-types/two.ts:1: plug-ins do not know one another')]);
  });

  it('sees through lazy imports and finds circles', async () => {
    const problems = await problemsOf({
      'src/engine/a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
      'src/engine/b.ts': "export const b = () => import('./a.ts');\n",
      'src/server/c.ts': "export const c = () => import('../store/d.ts');\n",
      'src/store/d.ts': LEAF,
    });
    expect(problems).toEqual([
      expect.stringContaining('src/server/c.ts:1: server must not import store'),
      'circle: src/engine/a.ts → src/engine/b.ts → src/engine/a.ts',
    ]);
  });
});
