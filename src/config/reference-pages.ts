/** The reference pages of `docs/reference/`, generated from the types themselves. */
import type { FieldDeclarations } from '../model.ts';
import type { Plugin, Registries } from '../ports.ts';
import { type FieldRow, fieldRows, type OptionRow, optionRows } from './reference.ts';

/** What a page needs of any type of plug-in. */
export type Documented = Pick<Plugin<never, never, never>, 'name' | 'summary' | 'spec' | 'mainOption' | 'example'> & {
  readonly fields?: FieldDeclarations;
};

export function referencePages(registries: Registries): Readonly<Record<'probes' | 'actions' | 'notifiers', string>> {
  const { probeTypes, actionTypes, notifierTypes } = registries;
  return {
    probes: page('Probe types', 'The key of a probe that names its type, and what conditions can read.', probeTypes),
    actions: page('Action types', 'The key of a remediation that names what it does.', actionTypes),
    notifiers: page('Notifiers', 'The key of a notifier in `brainstem.yml` that names its channel.', notifierTypes),
  };
}

function page(title: string, introduction: string, types: Readonly<Record<string, unknown>>): string {
  const documented = Object.values(types) as readonly Documented[];
  const sections = documented
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map((type) => section(type, documented));
  const note = '<!-- Generated from the source by `npm run generate`: edit the types, not this page. -->';
  return `${[note, `# ${title}`, introduction, ...sections].join('\n\n')}\n`;
}

function section(type: Documented, all: readonly Documented[]): string {
  const parts = [
    `## ${type.name}`,
    `${type.summary}.`.replace(/\.\.$/, '.'),
    `\`\`\`yaml\n${type.example.trim()}\n\`\`\``,
  ];
  const options = optionRows(
    type.spec,
    type.mainOption,
    all.map(({ spec }) => spec),
  );
  if (options.length > 0) {
    parts.push(table(['option', 'takes', 'default', ''], options.map(optionCells)));
  }
  if (type.fields !== undefined) {
    parts.push(table(['field', 'is', 'unit', ''], fieldRows(type.fields).map(fieldCells)));
  }
  return parts.join('\n\n');
}

function optionCells({ name, type, required, fallback, secret, summary }: OptionRow): readonly string[] {
  const shown = fallback === undefined ? (required ? '*required*' : '') : `\`${fallback}\``;
  return [`\`${name}\``, type, shown, secret ? `Secret. ${summary}`.trim() : summary];
}

function fieldCells({ name, type, unit, summary }: FieldRow): readonly string[] {
  return [`\`${name}\``, type, unit, summary];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
