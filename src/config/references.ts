/** What the definitions say of each other: unknown names, circles, fixes that cannot work. */
import type { NotifierDefinition, Remediation, Route } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import { probesNamed } from './families.ts';
import type { Member } from './members.ts';
import type { ReadProbe } from './probe-parts.ts';
import type { Names, Reading } from './reading.ts';
import type { ReadRemediation } from './remediations.ts';
import { nearestTree, type Path, type Tree } from './tree.ts';

export interface Definitions {
  readonly probes: readonly ReadProbe[];
  readonly remediations: readonly ReadRemediation[];
  readonly notifiers: readonly NotifierDefinition[];
  readonly routes: readonly Route[];
  readonly vantage: readonly string[];
  readonly brainstem: Tree | undefined;
}

export function checkReferences(definitions: Definitions, reading: Reading): void {
  for (const probe of definitions.probes) checkProbe(probe, reading);
  checkCircles(definitions.probes, reading);
  checkPingKeys(definitions.probes, reading);
  checkRungs(definitions, reading);
  checkFallbacks(definitions, reading);
  checkRoutes(definitions, reading);
  checkVantage(definitions, reading);
}

function checkProbe(read: ReadProbe, { names, problems }: Reading): void {
  const { dependsOn, notify } = read.probe;
  const check = (key: string, written: readonly string[], kind: string, known: Names) => {
    for (const [index, name] of written.entries()) {
      if (!known.has(name)) problems.add(read.place([key, index]), unknownName(kind, name, known));
    }
  };
  check('depends_on', dependsOn, 'probe', names.probes);
  check('notify', notify ?? [], 'notifier', names.notifiers);
  for (const { name, location } of read.members) {
    if (!names.probes.has(name)) problems.add(location, unknownName('probe', name, names.probes));
  }
}

function unknownName(kind: string, name: string, known: Names): string {
  return `there is no ${kind} "${name}"${didYouMean(name, known.keys())}`;
}

/** What a probe is made of, it stands on as well: nothing may stand on itself. */
function checkCircles(probes: readonly ReadProbe[], { problems, families }: Reading): void {
  const byName = new Map(probes.map((read) => [read.probe.name, read]));
  const edges = new Map(
    probes.map(({ probe, members }) => {
      const written = [...probe.dependsOn, ...members.map(({ name }) => name)];
      return [probe.name, probesNamed(written, families)];
    }),
  );
  for (const circle of circles(edges)) {
    const [last, first] = [circle.at(-2) ?? '', circle.at(-1) ?? ''];
    const read = byName.get(last);
    const edge = read && standsOn(read).find(({ name }) => probesNamed([name], families).includes(first));
    if (edge) problems.add(edge.location, `"${edge.option}" goes in a circle: ${circle.join(' → ')}`);
  }
}

function standsOn(read: ReadProbe): readonly Member[] {
  const { dependsOn } = read.probe;
  const written = dependsOn.map((name, index) => ({
    option: 'depends_on',
    name,
    location: read.place(['depends_on', index]),
  }));
  return [...written, ...read.members];
}

/** A ping says nothing but its key: two probes with the same one could not be told apart. */
function checkPingKeys(probes: readonly ReadProbe[], { problems }: Reading): void {
  const owners = new Map<string, string>();
  for (const { probe, type } of probes) {
    if (probe.spec === undefined || type?.pingKey === undefined) continue;
    const key = type.pingKey(probe.spec);
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, probe.name);
    else
      problems.add(probe.location, `"${probe.name}" and "${owner}" have the same key; every heartbeat needs its own`);
  }
}

/** Every edge that closes a circle, as the circle it closes, first name repeated at the end. Iterative: chains are long. */
function circles(edges: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: string[][] = [];
  const done = new Set<string>();
  for (const start of edges.keys()) {
    const path: { readonly name: string; next: number }[] = done.has(start) ? [] : [{ name: start, next: 0 }];
    const onPath = new Set(path.map(({ name }) => name));
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const target = edges.get(top.name)?.[top.next++];
      if (target === undefined) {
        path.pop();
        onPath.delete(top.name);
        done.add(top.name);
      } else if (onPath.has(target)) {
        const names = path.map(({ name }) => name);
        found.push([...names.slice(names.indexOf(target)), target]);
      } else if (!done.has(target)) {
        path.push({ name: target, next: 0 });
        onPath.add(target);
      }
    }
  }
  return found;
}

function checkRungs({ probes, remediations }: Definitions, reading: Reading): void {
  const byName = new Map(remediations.map((read) => [read.remediation.name, read]));
  for (const read of probes) {
    for (const [ladder, { rungs }] of read.probe.remediate.entries()) {
      for (const [index, { remediation }] of rungs.entries()) {
        checkRung(read, ['remediate', ladder, 'try', index], remediation, byName.get(remediation), reading);
      }
    }
  }
}

function checkRung(
  read: ReadProbe,
  path: Path,
  name: string,
  fix: ReadRemediation | undefined,
  { names, problems }: Reading,
): void {
  if (!names.remediations.has(name)) {
    problems.add(read.place(path), unknownName('remediation', name, names.remediations));
    return;
  }
  const fault = fix === undefined ? undefined : unfitness(read, fix);
  if (fault !== undefined) problems.add(read.place(path), fault);
}

/** Why this fix cannot work for this probe; undefined: it can. */
function unfitness({ type }: ReadProbe, { remediation, type: action }: ReadRemediation): string | undefined {
  if (type === undefined) return undefined;
  const { name, spec } = remediation;
  if (spec !== undefined && action?.fromProbe(spec) && type.resource === undefined) {
    return `"${name}" acts on what the probe observed ("from: probe"), but "${type.name}" observes nothing to act on`;
  }
  if (type.pingKey !== undefined && provesTooLate(remediation)) {
    return `"${name}" must have a "verify_within" no shorter than its "timeout": only the job's own ping can prove it`;
  }
  return undefined;
}

function provesTooLate({ verifyWithinMs, timeoutMs }: Remediation): boolean {
  return verifyWithinMs < timeoutMs;
}

function checkFallbacks({ notifiers, brainstem }: Definitions, { names, problems }: Reading): void {
  for (const { name, fallback } of notifiers) {
    if (fallback === undefined || names.notifiers.has(fallback) || brainstem === undefined) continue;
    const place = nearestTree(brainstem, ['notifiers', name, 'fallback']);
    problems.add(place.location, unknownName('notifier', fallback, names.notifiers));
  }
  const edges = new Map(notifiers.map(({ name, fallback }) => [name, fallback === undefined ? [] : [fallback]]));
  for (const circle of circles(edges)) {
    const place = brainstem && nearestTree(brainstem, ['notifiers', circle.at(-2) ?? '', 'fallback']);
    if (place) problems.add(place.location, `"fallback" goes in a circle: ${circle.join(' → ')}`);
  }
}

function checkRoutes({ routes, brainstem }: Definitions, { names, problems }: Reading): void {
  if (brainstem === undefined) return;
  for (const [index, { notify, match }] of routes.entries()) {
    const check = (path: Path, written: readonly string[], kind: string, known: Names) => {
      for (const [item, name] of written.entries()) {
        const place = nearestTree(brainstem, ['routes', index, ...path, item]);
        if (!known.has(name)) problems.add(place.location, unknownName(kind, name, known));
      }
    };
    check(['notify'], notify, 'notifier', names.notifiers);
    check(['match', 'probe'], match.probe ?? [], 'probe', names.probes);
  }
}

function checkVantage({ vantage, brainstem }: Definitions, { names, problems }: Reading): void {
  if (brainstem === undefined) return;
  for (const [index, name] of vantage.entries()) {
    const place = nearestTree(brainstem, ['healing', 'vantage', index]);
    if (!names.probes.has(name)) problems.add(place.location, unknownName('probe', name, names.probes));
  }
}
