/** Works out what a spec means once, for as long as the spec lives: the way of a run stays free of parsing. */
export function oncePerSpec<Spec extends object, Prepared>(
  prepare: (spec: Spec) => Prepared,
): (spec: Spec) => Prepared {
  const prepared = new WeakMap<Spec, Prepared>();
  return (spec) => {
    const known = prepared.get(spec);
    if (known !== undefined) return known;
    const made = prepare(spec);
    prepared.set(spec, made);
    return made;
  };
}
