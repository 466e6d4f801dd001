/** What the steps of one run remember for one another: values by name, written `{{name}}` in the texts of later steps. */
import { createRedactor, type Redactor } from '../redact.ts';
import { ProbeFailure } from './failure.ts';

export interface Memory {
  /** Keeps a value for later steps; it replaces one of the same name. Throws a ProbeFailure when it is too long to keep. */
  save(name: string, value: string): void;
  /** Hides a value from messages that no step can use, such as a cookie's: the youngest ones, up to 16 KiB. */
  conceal(value: string): void;
  /** A text with the value of each `{{name}}`. `encode` turns a value into what may stand there, so that it stays a value. */
  fill(text: string, encode?: (value: string) => string): string;
  /** A text without any of the values, in every form in which they usually travel. */
  hide(text: string): string;
  /** All that `hide` hides. */
  hidden(): readonly string[];
  /** All values by name. */
  values(): Readonly<Record<string, string>>;
}

/** A name for people to choose; `{{1}}` stands for a group of the last regular expression that has groups. */
export const VALUE_NAME = /^[A-Za-z_]\w{0,39}$/;
const PLACEHOLDER = /\{\{([A-Za-z_]\w{0,39}|\d{1,2})\}\}/g;

/** Characters of one value: a token or an address, never a document. */
const MAX_VALUE = 8 * 2 ** 10;

/** Characters of concealed values, and how many there are: to look for all that a server can invent would take seconds. */
const MAX_CONCEALED = 16 * 2 ** 10;
const MAX_CONCEALED_VALUES = 200;

/** @param secrets values that are known before the first step. */
export function createMemory(secrets: Readonly<Record<string, string>> = {}): Memory {
  const values = new Map(Object.entries(secrets));
  let concealed: readonly string[] = [];
  /** undefined: to be made anew. */
  let redactor: Redactor | undefined;
  const conceal = (value: string) => {
    concealed = youngest([...concealed, value]);
    redactor = undefined;
  };
  const hidden = () => [...values.values(), ...concealed];
  return {
    conceal,
    hidden,
    save(name, value) {
      if (value.length > MAX_VALUE) {
        throw new ProbeFailure('body', `the value for {{${name}}} has more than ${MAX_VALUE} characters`);
      }
      // What it replaces is no less secret.
      conceal(values.get(name) ?? '');
      values.set(name, value);
    },
    fill: (text, encode = (value) => value) =>
      text.replace(PLACEHOLDER, (_, name: string) => encode(values.get(name) ?? '')),
    hide(text) {
      if (!redactor) {
        redactor = createRedactor();
        redactor.use(hidden());
      }
      return redactor.redact(text);
    },
    values: () => Object.fromEntries(values),
  };
}

/** The last of these values that are short enough together. */
function youngest(all: readonly string[]): readonly string[] {
  let characters = 0;
  const few = all.slice(-MAX_CONCEALED_VALUES);
  const first = few.findLastIndex((value) => {
    characters += value.length;
    return characters > MAX_CONCEALED;
  });
  return few.slice(first + 1);
}

/** Whether a text names a value at all. */
export function hasPlaceholder(text: string): boolean {
  return text.search(PLACEHOLDER) >= 0;
}

/** Every `{{name}}` in the texts of an option, and where it stands. */
export function* placeholders(
  option: unknown,
  path: readonly string[] = [],
): Generator<{
  readonly name: string;
  readonly path: readonly string[];
}> {
  if (typeof option === 'string') {
    for (const [, name = ''] of option.matchAll(PLACEHOLDER)) yield { name, path };
  } else if (typeof option === 'object' && option !== null) {
    for (const [key, child] of Object.entries(option)) yield* placeholders(child, [...path, key]);
  }
}
