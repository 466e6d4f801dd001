/** A name that stands for several probes, one for `each` item: wherever a probe is named, all of them may be meant. */

/** The names of its probes by the name of an entry with `each`. */
export type Families = ReadonlyMap<string, readonly string[]>;

/** The probes that are meant, each once. */
export function probesNamed(written: readonly string[], families: Families): readonly string[] {
  return [...new Set(written.flatMap((name) => families.get(name) ?? [name]))];
}
