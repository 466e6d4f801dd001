/** Evaluates a module of a home through jiti, in a thread of its own: this file is imported nowhere else. */
import { readFile, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createJiti, type Jiti, type JitiOptions, type TransformOptions } from 'jiti';
import type { SourceLocation } from '../../model.ts';
import { defineProbe } from './define-probe.ts';

/** Nothing is kept between two threads: what a file holds now is what runs. */
const FRESH: JitiOptions = {
  fsCache: false,
  moduleCache: true,
  sourceMaps: true,
  interopDefault: false,
  // A home needs no node_modules to write `import { defineProbe } from 'brainstem'`.
  virtualModules: { brainstem: { defineProbe } },
};

/** The text of a file is no TypeScript or JavaScript. */
export class SyntaxFault extends Error {
  readonly location: SourceLocation;

  constructor(location: SourceLocation, message: string) {
    super(message);
    this.location = location;
  }
}

export interface Evaluated {
  /** `undefined`: there is none. */
  readonly defaultExport: unknown;
  /** The file itself, behind symbolic links, as others import it. */
  readonly realFile: string;
  /** Files that it imports, relative to the home, without those of packages. */
  readonly imports: readonly string[];
}

/** Compiles what `code` does not hold yet, and adds it there by absolute path. Errors: SyntaxFault, and what the module throws. */
export async function evaluate(home: string, file: string, code: Map<string, string>): Promise<Evaluated> {
  const path = join(home, file);
  const jiti = createJiti(path, { ...FRESH, transform: (options) => ({ code: compiled(options) }) });
  forget(jiti);
  let compiler: Jiti | undefined;

  function compiled(options: TransformOptions): string {
    const { filename = path } = options;
    const known = code.get(filename);
    if (known !== undefined) return known;
    compiler ??= createJiti(path, FRESH);
    const made = compiler.transform(options);
    refuseFault(made, home, filename);
    code.set(filename, made);
    return made;
  }

  const source = code.has(path) ? '' : await readFile(path, 'utf8');
  const evaluated = await jiti.evalModule(source, { filename: path, async: true, forceTranspile: true });
  const imported = Object.keys(jiti.cache).filter((other) => other !== path && isOwn(other));
  return {
    defaultExport: (evaluated as { default?: unknown }).default,
    realFile: nameIn(home, await realpath(path)),
    imports: imported.map((other) => nameIn(home, other)),
  };
}

/** A module shares nothing with those that were evaluated before it, but packages. */
function forget(jiti: Jiti): void {
  for (const path of Object.keys(jiti.cache).filter(isOwn)) delete jiti.cache[path];
}

/** No package. */
function isOwn(path: string): boolean {
  return path.startsWith(sep) && !path.split(sep).includes('node_modules');
}

function nameIn(home: string, path: string): string {
  return relative(home, path).replaceAll(sep, '/');
}

/** What jiti makes of a text that it cannot compile is code that says so. */
const FAULT = /^exports\.__JITI_ERROR__ = (\{.*\})\s*;?\s*$/s;

function refuseFault(made: string, home: string, path: string): void {
  const text = FAULT.exec(made.trim())?.[1];
  if (text === undefined) return;
  const { line, column, message } = JSON.parse(text) as { line: number; column: number; message: string };
  const file = nameIn(home, path);
  const said = message
    .replace(/^[^:]*: /, '')
    .replace(/ \(\d+:\d+\)[\s\S]*$/, '')
    .trim();
  throw new SyntaxFault({ file, line, column: column + 1 }, said);
}
