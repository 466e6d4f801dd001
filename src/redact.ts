/** Keeps the values of secrets out of logs, pages and messages, in every form in which they usually travel. */

export interface Redactor {
  /**
   * Replaces the set of values to hide. Values shorter than six characters are ignored: hiding them would hide words. What
   * was cut off at its greatest length may end in the middle of a value: half of one at the end, or before …, is hidden too.
   */
  use(secrets: readonly string[]): void;
  redact(text: string): string;
}

export const REDACTED = '[redacted]';
const SHORTEST = 6;
/** Of several lines: shorter ones are words. */
const LONG_LINE = 16;
/** So much of the beginning of a form is hidden wherever it stands. */
const LONG = 64;

/** A redactor that hides nothing until `use` is called. */
export function createRedactor(): Redactor {
  let index: Index | undefined;
  return {
    use(secrets) {
      index = indexOf(secrets.flatMap(formsOf));
    },
    redact: (text) => (index === undefined ? text : hide(text, index)),
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

/** What is looked for, sorted: what begins alike stands together. */
interface Index {
  readonly forms: readonly string[];
  /** Where those stand that begin with two characters. */
  readonly byPair: ReadonlyMap<number, Range>;
  /** Which pairs there are, roughly: most places of a text are passed by at once. */
  readonly beginnings: Uint8Array;
}

/** From one index to before another. */
type Range = readonly [low: number, high: number];

function indexOf(all: readonly string[]): Index {
  const forms = [...new Set(all.filter(({ length }) => length >= SHORTEST))].sort();
  const byPair = new Map<number, Range>();
  const beginnings = new Uint8Array(2 ** 16);
  for (const [index, form] of forms.entries()) {
    const pair = pairAt(form, 0);
    byPair.set(pair, [byPair.get(pair)?.[0] ?? index, index + 1]);
    beginnings[pair & 0xffff] = 1;
  }
  return { forms, byPair, beginnings };
}

/** A number of its own for each pair, of which the last 16 bits still hold something of both. */
function pairAt(text: string, at: number): number {
  return text.charCodeAt(at) * 2 ** 8 + text.charCodeAt(at + 1) * (1 + 2 ** 24);
}

function hide(text: string, { forms, byPair, beginnings }: Index): string {
  let shown = '';
  let from = 0;
  const last = text.length - SHORTEST;
  for (let at = 0; at <= last; at += 1) {
    const pair = pairAt(text, at);
    const range = beginnings[pair & 0xffff] === 0 ? undefined : byPair.get(pair);
    const length = range === undefined ? 0 : hiddenAt(text, at, forms, range);
    if (length === 0) continue;
    shown += text.slice(from, at) + REDACTED;
    from = at + length;
    at = from - 1;
  }
  return from === 0 ? text : shown + text.slice(from);
}

/**
 * Characters to hide at a place: the longest form that stands there, so that none is cut short by another that it contains,
 * or what was cut off of one; 0: none. Whoever chooses the text makes it walk a few characters for each place, however many
 * forms begin alike: a long beginning is hidden as if it were whole.
 */
function hiddenAt(text: string, at: number, forms: readonly string[], [first, behind]: Range): number {
  let [low, high, depth, longest] = [first, behind, 2, 0];
  const code = (index: number) => (forms[index] as string).charCodeAt(depth);
  while (low < high) {
    if (forms[low]?.length === depth) {
      longest = depth;
      low += 1;
      continue;
    }
    if (isCutAt(text, at + depth)) {
      return forms.slice(low, high).some(({ length }) => depth >= Math.max(SHORTEST, length / 2)) ? depth : longest;
    }
    const wanted = text.charCodeAt(at + depth);
    const [least, most] = [code(low), code(high - 1)];
    if (wanted < least || wanted > most) break;
    if (least !== most) {
      low = firstFrom(low, high, (index) => code(index) >= wanted);
      high = firstFrom(low, high, (index) => code(index) > wanted);
    }
    if (low < high) depth += 1;
  }
  return depth >= LONG ? depth : longest;
}

/** The end of a text, or of what stands before a mark that says that more came. */
function isCutAt(text: string, at: number): boolean {
  return at === text.length || text[at] === '…' || (text[at] === '\n' && text[at + 1] === '…');
}

/** The first index that is far enough; all behind it are. */
function firstFrom(low: number, high: number, isFar: (index: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isFar(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

function formsOf(secret: string): string[] {
  const value = secret.trim();
  if (value.length < SHORTEST) return [];
  return [secret, ...linesOf(value), ...jsonForms(value), htmlForm(value), ...urlForms(value), ...base64Forms(value)];
}

/** Of a key in several lines, programs print single ones. */
function linesOf(value: string): string[] {
  const lines = value.split(/[\r\n]+/).map((line) => line.trim());
  const telling = lines.filter((line) => line.length >= LONG_LINE && !line.startsWith('-----'));
  return [value, ...(lines.length > 1 ? telling : [])];
}

/** Also escaped twice, and with a slash or with all beyond ASCII escaped, as some languages do. */
function jsonForms(value: string): string[] {
  const escaped = jsonForm(value);
  const ascii = escaped.replace(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [escaped, jsonForm(escaped), ascii, escaped.replaceAll('/', '\\/'), ascii.replaceAll('/', '\\/')];
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
