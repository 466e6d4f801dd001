/**
 * How long functions and files are. It judges nothing: the longest ones are places to ask whether they tell one story.
 */
import { Visitor } from 'rolldown/utils';
import { readSources, type Source } from './sources.ts';

interface Measured {
  readonly name: string;
  readonly lines: number;
}

const SHOWN = 8;

/** Prints the measures of src/; always true. */
export function measure(): boolean {
  const sources = readSources('.');
  const functions = sources.flatMap(functionsOf).sort((one, other) => other.lines - one.lines);
  const files = sources.map(({ path, text }) => ({ name: path, lines: text.split('\n').length - 1 }));
  files.sort((one, other) => other.lines - one.lines);
  const share = (part: number) => functions[Math.floor(functions.length * (1 - part))]?.lines ?? 0;
  console.log(
    `${functions.length} functions in ${files.length} files: median ${share(0.5)} lines, 90th percentile ${share(0.9)}`,
  );
  print('longest functions', functions);
  print('longest files', files);
  return true;
}

function print(title: string, measured: readonly Measured[]): void {
  console.log(`${title}:`);
  for (const { name, lines } of measured.slice(0, SHOWN)) console.log(`  ${String(lines).padStart(4)}  ${name}`);
}

interface FunctionNode {
  readonly start: number;
  readonly end: number;
  readonly id?: { readonly name: string } | null;
}

function functionsOf({ path, text, program }: Source): Measured[] {
  const found: Measured[] = [];
  const add = ({ start, end, id }: FunctionNode) => {
    const line = text.slice(0, start).split('\n').length;
    found.push({
      name: `${path}:${line} ${id?.name ?? ''}`.trimEnd(),
      lines: text.slice(start, end).split('\n').length,
    });
  };
  new Visitor({ FunctionDeclaration: add, FunctionExpression: add, ArrowFunctionExpression: add }).visit(program);
  return found;
}
