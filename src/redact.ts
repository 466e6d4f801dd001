/** Keeps the values of secrets out of logs, pages and messages, in every form in which they usually travel. */

export interface Redactor {
  /**
   * Replaces the set of values to hide. Values shorter than six characters are ignored: hiding them would hide words. What
   * was cut off at its greatest length may end in the middle of a value: half of one at the end is hidden too.
   */
  use(secrets: readonly string[]): void;
  redact(text: string): string;
}

export const REDACTED = '[redacted]';
const SHORTEST = 6;

/** A redactor that hides nothing until `use` is called. */
export function createRedactor(): Redactor {
  let index = indexOf([]);
  return {
    use(secrets) {
      index = indexOf(secrets.flatMap(formsOf));
    },
    redact: (text) => hide(text, index),
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

/** What is looked for, by its first characters: a text is read once, however many secrets there are. */
interface Index {
  readonly byHead: ReadonlyMap<string, readonly string[]>;
  /** Pairs of characters with which something begins, so that most places of a text are passed by at once. */
  readonly beginnings: Uint8Array;
}

function indexOf(forms: readonly string[]): Index {
  const byHead = new Map<string, string[]>();
  const beginnings = new Uint8Array(2 ** 16);
  for (const form of new Set(forms.filter(({ length }) => length >= SHORTEST))) {
    const head = form.slice(0, SHORTEST);
    byHead.set(head, [...(byHead.get(head) ?? []), form]);
    beginnings[pairAt(form, 0)] = 1;
  }
  return { byHead, beginnings };
}

function pairAt(text: string, at: number): number {
  return ((text.charCodeAt(at) << 8) ^ text.charCodeAt(at + 1)) & 0xffff;
}

function hide(text: string, { byHead, beginnings }: Index): string {
  let shown = '';
  let from = 0;
  const last = text.length - SHORTEST;
  for (let at = 0; at <= last; at += 1) {
    if (beginnings[pairAt(text, at)] === 0) continue;
    const forms = byHead.get(text.slice(at, at + SHORTEST));
    const length = forms === undefined ? 0 : longestAt(text, at, forms);
    if (length === 0) continue;
    shown += text.slice(from, at) + REDACTED;
    from = at + length;
    at = from - 1;
  }
  return from === 0 ? text : shown + text.slice(from);
}

/** Characters of the longest form that stands at a place, so that none is cut short by another that it contains; 0: none does. */
function longestAt(text: string, at: number, forms: readonly string[]): number {
  const left = text.length - at;
  let longest = 0;
  for (const form of forms) {
    const isCut = left < form.length && left >= form.length / 2;
    const length = isCut ? left : form.length;
    if (length > longest && length <= left && text.startsWith(isCut ? form.slice(0, left) : form, at)) longest = length;
  }
  return longest;
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
