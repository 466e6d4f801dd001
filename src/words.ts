/** Numbers and names in sentences, for every message that a person reads. */

/** `1 probe`, `2 probes`; `many` where an `s` does not make it many. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `A`, `A and B`, `A, B and C`. */
export function listed(names: readonly string[]): string {
  const [last = '', ...before] = names.toReversed();
  return before.length === 0 ? last : `${before.reverse().join(', ')} and ${last}`;
}

/** `A is not set`, `A and B are not set`. */
export function notSet(names: readonly string[]): string {
  return `${listed(names)} ${names.length === 1 ? 'is' : 'are'} not set`;
}

/** What fits, and `…` for the rest: the mark also tells a redactor where a secret may have been cut. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** Why something that waits for variables does nothing, and what to do about it. */
export function unconfigured({ name, unset }: { readonly name: string; readonly unset: readonly string[] }): string {
  const them = unset.length === 1 ? 'it' : 'them';
  return `${name} is unconfigured: ${notSet(unset)}; write ${them} into .env of the home, or into the environment`;
}
