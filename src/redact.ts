/** Keeps the values of secrets out of logs, pages and messages, in every form in which they usually travel. */

export interface Redactor {
  /** Replaces the set of values to hide. Values shorter than six characters are ignored: hiding them would hide words. */
  use(secrets: readonly string[]): void;
  redact(text: string): string;
}

export const REDACTED = '[redacted]';
const SHORTEST = 6;

/** A redactor that hides nothing until `use` is called. */
export function createRedactor(): Redactor {
  let pattern: RegExp | undefined;
  return {
    use(secrets) {
      pattern = compile(new Set(secrets.flatMap(formsOf)));
    },
    redact(text) {
      return pattern === undefined ? text : text.replace(pattern, REDACTED);
    },
  };
}

/** `redact`, and without what one run learnt that nobody may see. */
export function hiding(
  redact: (text: string) => string,
  { hidden }: { readonly hidden?: readonly string[] },
): (text: string) => string {
  if (hidden === undefined) return redact;
  let own: Redactor | undefined;
  return (text) => {
    if (!own) {
      own = createRedactor();
      own.use(hidden);
    }
    return redact(own.redact(text));
  };
}

/** A copy of what a target said, with every text of it redacted: a server chooses its keys, too. */
export function redactAll(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => redactAll(item, redact));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [redact(key), redactAll(member, redact)]));
}

/** One alternation, longest first, so that no form is cut short by another that it contains. */
function compile(forms: ReadonlySet<string>): RegExp | undefined {
  const hidden = [...forms].filter((form) => form.length >= SHORTEST).sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return undefined;
  return new RegExp(hidden.map(escapePattern).join('|'), 'g');
}

function escapePattern(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function formsOf(secret: string): string[] {
  const value = secret.trim();
  if (value.length < SHORTEST) return [];
  const escaped = jsonForm(value);
  return [secret, value, escaped, jsonForm(escaped), htmlForm(value), ...urlForms(value), ...base64Forms(value)];
}

function jsonForm(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

function htmlForm(value: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return value.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Percent-encoded as a component, with lower-case digits, as a form field, and as the URL standard writes userinfo. */
function urlForms(value: string): string[] {
  const component = encodeURIComponent(Buffer.from(value).toString());
  const strict = component.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return [
    component,
    strict,
    component.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    new URLSearchParams([['', value]]).toString().slice(1),
    userinfoForm(value),
  ];
}

function userinfoForm(value: string): string {
  const url = new URL('http://host');
  url.password = value;
  return url.password;
}

/**
 * What of the value is certain to appear inside a longer base64 text, at each of its three alignments: the characters
 * at both ends that would mix in neighbouring bytes are left out.
 */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const certain = encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
    return [certain, certain.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
