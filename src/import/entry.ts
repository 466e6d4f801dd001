/** What an import makes of a peer's configuration: probes as they would be written by hand, and what could not be carried. */

/** What was read for an import. */
export interface Sources {
  readonly file: SourceFile;
  /** A prometheus.yml, whose scrape configurations say which targets a module is asked for. */
  readonly prometheus?: SourceFile;
  /** Lines of `TARGET`, or `MODULE TARGET`. */
  readonly targets?: SourceFile;
}

export interface SourceFile {
  /** As it was named. */
  readonly name: string;
  /** Absolute folder: what it names is found there. */
  readonly folder: string;
  readonly text: string;
}

/** One entry of a file under probes/, as plain data. */
export interface Entry {
  readonly name: string;
  readonly [key: string]: unknown;
}

export interface Loss {
  /** Where it stood: `file:line:column`, or the name of a monitor. */
  readonly where: string;
  readonly what: string;
}

export interface Imported {
  readonly entries: readonly Entry[];
  readonly losses: readonly Loss[];
}

const NAME_LIMIT = 100;

/** Names that definitions may have, each given once. */
export function createNames(): (text: string) => string {
  const taken = new Set<string>();
  return (text) => {
    const base = slug(text);
    let name = base;
    for (let count = 2; taken.has(name); count += 1) name = `${base.slice(0, NAME_LIMIT - 5)}-${count}`;
    taken.add(name);
    return name;
  };
}

function slug(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '');
  return plain.slice(0, NAME_LIMIT) || 'probe';
}

/** Every text in it as it stands: a `${` in it begins no substitution. */
export function literal(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, literal(child)]));
}

/** Without what is undefined, and without what is empty. */
export function compact(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => !isNothing(value)));
}

function isNothing(value: unknown): boolean {
  if (value === undefined) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const OWN_LABELS = new Set(['probe', 'instance', 'type', 'group', 'severity', 'state', 'reason', 'job', 'le']);
const MAX_LABELS = 10;

/** Labels that a definition may have; `lost` hears of the others. */
export function labelsOf(
  written: readonly (readonly [string, string])[],
  lost: (what: string) => void,
): Record<string, string> {
  const kept = written.filter(([name]) => LABEL.test(name) && !OWN_LABELS.has(name));
  for (const [name] of written) {
    if (!kept.some(([other]) => other === name)) lost(`the label "${name}": a probe cannot have one of this name`);
  }
  for (const [name] of kept.slice(MAX_LABELS)) lost(`the label "${name}": a probe has at most ${MAX_LABELS}`);
  return Object.fromEntries(kept.slice(0, MAX_LABELS));
}

/** Seconds as a duration of our files. */
export function seconds(value: number): string {
  return value % 60 === 0 && value > 0 ? `${value / 60}m` : `${value}s`;
}
