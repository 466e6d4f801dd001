/** The TypeScript sources of a repository, parsed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'rolldown/utils';

export interface Source {
  /** Relative to the repository, such as `src/app.ts`. */
  readonly path: string;
  readonly text: string;
  readonly program: ReturnType<typeof parseSync>['program'];
}

export function readSources(repository: string): readonly Source[] {
  const names = readdirSync(join(repository, 'src'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name))
    .map((path) => {
      const text = readFileSync(join(repository, path), 'utf8');
      const { program, errors } = parseSync(path, text);
      if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
      return { path, text, program };
    });
}
