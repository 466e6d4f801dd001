/** What of a home waits for variables: counted first, then file by file, and together what waits for the same. */
import type { Configuration, SourceLocation } from '../model.ts';
import { counted } from '../words.ts';
import { plain } from './print.ts';

/** A definition, such as a probe, of which a variable is not set. */
export interface Waiting {
  readonly name: string;
  readonly unset: readonly string[];
  readonly location: SourceLocation;
}

const WIDTH = 100;

/** In the order of the files. */
export function waitingIn({ probes, remediations, notifiers }: Configuration): readonly Waiting[] {
  return [...notifiers.values(), ...probes.values(), ...remediations.values()].filter(({ unset }) => unset.length > 0);
}

/** `81 of them are unconfigured: 58 variables are not set`. */
export function waitingHead(waiting: readonly Waiting[]): string {
  const variables = new Set(waiting.flatMap(({ unset }) => unset)).size;
  const [these, those] = [waiting.length, variables].map((count) => (count === 1 ? 'is' : 'are'));
  return `${waiting.length} of them ${these} unconfigured: ${counted(variables, 'variable')} ${those} not set`;
}

/** Lines; empty when nothing waits. */
export function waitingText(waiting: readonly Waiting[]): string {
  if (waiting.length === 0) return '';
  const files = [...grouped(waiting, ({ location }) => location.file)];
  return [
    waitingHead(waiting),
    ...files.flatMap(([file, items]) => [`  ${plain(file)}`, ...fileLines(items)]),
    '',
  ].join('\n');
}

function fileLines(items: readonly Waiting[]): readonly string[] {
  const groups = [...grouped(items, ({ unset }) => unset.join(', '))];
  return groups.flatMap(([unset, group]) => wrapped(`${plain(unset)}: ${group.map(({ name }) => name).join(', ')}`));
}

function grouped(items: readonly Waiting[], key: (item: Waiting) => string): ReadonlyMap<string, readonly Waiting[]> {
  const groups = new Map<string, Waiting[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** Lines indented under their file, broken between names. */
function wrapped(text: string): readonly string[] {
  const [first = '', ...words] = text.split(' ');
  const lines = [`    ${first}`];
  for (const word of words) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length > WIDTH) lines.push(`      ${word}`);
    else lines.splice(-1, 1, line);
  }
  return lines;
}
