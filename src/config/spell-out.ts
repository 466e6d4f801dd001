/** Definitions with every reference to a family of probes spelt out: nobody behind this point knows of families. */
import type { Probe, Route } from '../model.ts';
import { type Families, probesNamed } from './families.ts';
import type { ReadProbe } from './probe-parts.ts';
import type { Definitions } from './references.ts';

export function spellOut(definitions: Definitions, families: Families): Definitions {
  if (families.size === 0) return definitions;
  const { probes, routes, vantage } = definitions;
  return {
    ...definitions,
    probes: probes.map((read) => spellProbe(read, families)),
    routes: routes.map((route) => spellRoute(route, families)),
    vantage: probesNamed(vantage, families),
  };
}

/** What names no family stays the very object that it was. */
function spellProbe(read: ReadProbe, families: Families): ReadProbe {
  const members = read.members.map(({ name }) => name);
  const { probe, type } = read;
  if (![...probe.dependsOn, ...members].some((name) => families.has(name))) return read;
  const spelt: Probe = {
    ...probe,
    dependsOn: probesNamed(probe.dependsOn, families),
    ...(type?.members &&
      members.length > 0 && {
        spec: type.members.replace(probe.spec, probesNamed(members, families)),
      }),
  };
  return { ...read, probe: spelt };
}

function spellRoute(route: Route, families: Families): Route {
  const { match } = route;
  if (match.probe === undefined) return route;
  return { ...route, match: { ...match, probe: probesNamed(match.probe, families) } };
}
