/** Secrets made up at each run, and where they turn up. */
import { randomBytes } from 'node:crypto';

export interface Canaries {
  /** A new one, as `${VARIABLE}` to stand in a file. `value`: where it must have a form. */
  hide(name: string, value?: string): string;
  /** A value that nobody configured, such as one that a server makes up. */
  add(name: string, value: string): string;
  readonly environment: Readonly<Record<string, string>>;
  /** Names of those that stand in a text. */
  leaksIn(text: string): readonly string[];
}

export const canaryOf = (name: string) => `${name}${randomBytes(9).toString('hex')}`;

export function createCanaries(): Canaries {
  const environment: Record<string, string> = {};
  const all: { readonly name: string; readonly forms: readonly string[] }[] = [];
  const add = (name: string, value: string) => {
    all.push({ name, forms: formsOf(value) });
    return value;
  };
  return {
    environment,
    add,
    hide(name, value = canaryOf(name.replaceAll(/\W/g, ''))) {
      const variable = `CANARY_${all.length}`;
      environment[variable] = add(name, value);
      return `\${${variable}}`;
    },
    leaksIn: (text) => all.filter(({ forms }) => forms.some((form) => text.includes(form))).map(({ name }) => name),
  };
}

/** As people would find it: itself, in a URL, in JSON, in HTML, and within base64. */
export function formsOf(secret: string): readonly string[] {
  const within = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)])
      .toString('base64')
      .slice(4, -4),
  );
  const html = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  return [...new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), html, ...within])];
}
