/** HTML in which every value is text. Only what this template made itself is markup. */

const MARKUP = Symbol('markup');

export interface Html {
  readonly [MARKUP]: string;
}

export type Part = Html | string | number | undefined | false | readonly Part[];

/** Values become text, lists their items one after the other, undefined and false nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  const text = strings.reduce((before, string, index) => before + render(values[index - 1]) + string);
  return { [MARKUP]: text };
}

export function toText(markup: Html): string {
  return markup[MARKUP];
}

function render(part: Part): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'string') return escapeText(part);
  if (typeof part === 'number') return String(part);
  return isHtml(part) ? part[MARKUP] : part.map(render).join('');
}

function isHtml(part: Html | readonly Part[]): part is Html {
  return !Array.isArray(part);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe as content and inside quoted attributes. */
function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
