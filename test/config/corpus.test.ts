/**
 * One broken home a file, one rule each. At the top of each: `# expect: [FILE:]LINE:COLUMN: MESSAGE` for every problem in
 * order, `# env: NAME=VALUE`, and `# file: PATH` (default probes/case.yaml). `# >>> PATH` begins a further file. The names of
 * all types of a kind are written `<probe types>`, `<action types>`, `<notifier types>`, so that a new one changes no case.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registries } from '../../src/registries.ts';
import { type Files, problems, type Variables } from './homes.ts';

const CORPUS = join(import.meta.dirname, 'corpus');

interface Case {
  readonly files: Files;
  readonly environment: Variables;
  readonly expected: readonly string[];
}

function readCase(name: string): Case {
  const text = readFileSync(join(CORPUS, name), 'utf8');
  const directives = (kind: string) =>
    [...text.matchAll(new RegExp(`^# ${kind}: (.*)$`, 'gm'))].map(([, value]) => value ?? '');
  const path = directives('file')[0] ?? 'probes/case.yaml';
  const [first = '', ...further] = text.split(/^# >>> /m);
  const files = further.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]);
  return {
    files: { [path]: first, ...Object.fromEntries(files) },
    environment: Object.fromEntries(directives('env').map((line) => line.split(/=(.*)/).slice(0, 2))),
    expected: directives('expect').map((line) => withTypes(/^\d/.test(line) ? `${path}:${line}` : line)),
  };
}

function withTypes(text: string): string {
  const names = (types: object) => Object.keys(types).sort().join(', ');
  return text
    .replace('<probe types>', names(registries.probeTypes))
    .replace('<action types>', names(registries.actionTypes))
    .replace('<notifier types>', names(registries.notifierTypes));
}

describe('a broken file is refused with exactly this', () => {
  for (const name of readdirSync(CORPUS)) {
    test(name.replace('.case', ''), async () => {
      const { files, environment, expected } = readCase(name);
      expect(expected).not.toHaveLength(0);
      expect(await problems(files, environment)).toEqual(expected);
    });
  }

  test('no rule left Object.prototype changed', () => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
