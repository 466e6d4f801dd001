/** `brainstem explain TYPE`: every option and observed field of a probe, action or notifier type, with an example. */
import { type FieldRow, fieldRows, type OptionRow, optionRows } from '../config/reference.ts';
import type { Documented } from '../config/reference-pages.ts';
import { NotFoundError } from '../errors.ts';
import { didYouMean } from '../nearest.ts';
import { registries } from '../registries.ts';
import type { CliIo } from './io.ts';

export interface ExplainArguments {
  /** Absent: the list of all types. */
  readonly type?: string;
  readonly json: boolean;
}

interface Explained {
  readonly kind: 'probe' | 'action' | 'notifier';
  readonly documented: Documented;
  readonly options: readonly OptionRow[];
  readonly fields: readonly FieldRow[];
}

/** Errors: NotFoundError when no kind has such a type. */
export async function explain({ type, json }: ExplainArguments, io: CliIo): Promise<number> {
  const all = [
    ...explained('probe', registries.probeTypes),
    ...explained('action', registries.actionTypes),
    ...explained('notifier', registries.notifierTypes),
  ];
  if (type === undefined) {
    io.out(json ? toJson(all) : listing(all));
    return 0;
  }
  const chosen = all.filter(({ documented }) => documented.name === type);
  if (chosen.length === 0) {
    const names = all.map(({ documented }) => documented.name);
    const advice = `${didYouMean(type, names)}; brainstem explain lists all of them`;
    throw new NotFoundError('unknown_type', `there is no type "${type}"${advice}`);
  }
  io.out(json ? toJson(chosen) : chosen.map(text).join('\n'));
  return 0;
}

function explained(kind: Explained['kind'], types: Readonly<Record<string, unknown>>): readonly Explained[] {
  const documented = Object.values(types) as readonly Documented[];
  return documented
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map((type) => ({
      kind,
      documented: type,
      options: optionRows(
        type.spec,
        type.mainOption,
        documented.map(({ spec }) => spec),
      ),
      fields: type.fields === undefined ? [] : fieldRows(type.fields),
    }));
}

function toJson(all: readonly Explained[]): string {
  const plain = all.map(({ kind, documented: { name, summary, example }, options, fields }) => ({
    ...{ kind, name, summary, example, options, fields },
  }));
  return `${JSON.stringify(plain, undefined, 2)}\n`;
}

function listing(all: readonly Explained[]): string {
  return columns(all.map(({ kind, documented: { name, summary } }) => [kind, name, summary]));
}

function text({ kind, documented: { name, summary, example }, options, fields }: Explained): string {
  const parts = [`${name} (${kind})\n  ${summary}\n`, `Example\n${indented(example.trim())}\n`];
  if (options.length > 0) parts.push(`Options\n${indented(columns(options.map(optionCells)))}`);
  if (fields.length > 0) parts.push(`Fields that conditions can read\n${indented(columns(fields.map(fieldCells)))}`);
  return parts.join('\n');
}

function optionCells({ name, type, required, fallback, secret, summary }: OptionRow): readonly string[] {
  const presence = fallback === undefined ? (required ? 'required' : '') : `default ${fallback}`;
  return [name, type, presence, [secret ? 'secret' : '', summary].filter((part) => part !== '').join('; ')];
}

function fieldCells({ name, type, unit, summary }: FieldRow): readonly string[] {
  return [name, type, unit, summary];
}

/** Left-aligned columns, two spaces apart; the last one is as long as it is. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, index) => Math.max(most[index] ?? 0, cell.length)),
    [],
  );
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function indented(lines: string): string {
  return lines.replace(/^(?=.)/gm, '  ');
}
