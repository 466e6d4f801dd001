/** `${NAME}`, `${NAME:-default}` and `${file:/path}` inside one scalar; `$${` stands for a literal `${`. */

/** The value of a variable or of a file's content; undefined: not set, or no such file. Empty counts as unset. */
export interface Lookup {
  variable(name: string): string | undefined;
  file(path: string): string | undefined;
}

export interface Substitution {
  readonly text: string;
  /** What was put in, without defaults. */
  readonly values: readonly string[];
  /** The part of `values` that came from files: always secret. */
  readonly fileValues: readonly string[];
  /** Every name that stands in it. */
  readonly names: readonly string[];
  /** Names without a value and without a default. */
  readonly unset: readonly string[];
  /** The scalar is exactly one substitution, so that it may become a number, a boolean or a list. */
  readonly whole: boolean;
  /** The item of `each` that was put in as well. */
  readonly item?: string;
  /** What is wrong with the notation. */
  readonly error?: string;
}

const TOKEN = /\$\$\{|\$\{([^}]*)(\}?)/g;
const WHOLE = /^\$\{[^}]*\}$/;
const REFERENCE = /^(?:file:(?<path>[^\s].*?)|(?<name>[A-Za-z_][A-Za-z0-9_]*))(?::-(?<fallback>[\s\S]*))?$/;
const NOTATION = `write \${NAME}, \${NAME:-default} or \${file:/path}, and $\${ for a plain \${`;

/** undefined: there is nothing to substitute. */
export function substitute(written: string, lookup: Lookup): Substitution | undefined {
  if (!written.includes('${')) return undefined;
  const values: string[] = [];
  const fileValues: string[] = [];
  const names: string[] = [];
  const unset: string[] = [];
  let error: string | undefined;
  const text = written.replaceAll(TOKEN, (token, inner: string | undefined, closing: string) => {
    if (inner === undefined) return '${';
    const reference = closing === '' ? undefined : REFERENCE.exec(inner)?.groups;
    if (reference === undefined || inner.includes('${')) {
      error ??= `"${token}" is no substitution; ${NOTATION}`;
      unset.push(token);
      return '';
    }
    const name = reference['name'] ?? `file:${reference['path']}`;
    names.push(name);
    const value = resolve(reference, lookup);
    if (value === undefined) {
      if (reference['fallback'] === undefined) unset.push(name);
      return reference['fallback'] ?? '';
    }
    (reference['path'] === undefined ? values : fileValues).push(value);
    return value;
  });
  return {
    text,
    values: [...values, ...fileValues],
    fileValues,
    names,
    unset,
    whole: WHOLE.test(written),
    ...(error !== undefined && { error }),
  };
}

function resolve(reference: Record<string, string | undefined>, lookup: Lookup): string | undefined {
  const { path, name } = reference;
  const value = path === undefined ? lookup.variable(name ?? '') : lookup.file(path);
  return value === '' ? undefined : value;
}

/** The paths of every `${file:…}` in a text, to read them before the text is parsed. */
export function referencedFiles(text: string): readonly string[] {
  return [...text.matchAll(TOKEN)].flatMap(([, inner, closing]) => {
    // A stray `${` further up runs up to here: what counts is the last one. Each character is looked at once.
    const reference = closing ? (inner?.split('${').at(-1) ?? '') : '';
    const path = REFERENCE.exec(reference)?.groups?.['path'];
    return path === undefined ? [] : [path];
  });
}
