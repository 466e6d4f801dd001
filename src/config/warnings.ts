/** What is allowed, but hardly meant. */
import type { BlackboxModule, Problem, Settings } from '../model.ts';
import { ownStoreHealed } from './own-store.ts';
import type { Modules } from './reading.ts';
import type { Definitions } from './references.ts';
import { nearestTree } from './tree.ts';

export function doubts(definitions: Definitions, modules: Modules, { store }: Settings): readonly Problem[] {
  return [
    ...silentRoutes(definitions),
    ...emptyGroups(definitions),
    ...ownStoreHealed(definitions, store.url),
    ...unusedModules(definitions, modules),
  ];
}

/** Whoever may ask chooses where credentials go: without a token that would be any program of this machine. */
export function refusedModules(modules: Iterable<BlackboxModule>, { http }: Settings): readonly Problem[] {
  if (http.token !== undefined) return [];
  return [...modules].flatMap(({ name, location, hasCredentials }) => {
    const message = `the module "${name}" holds credentials, so /probe refuses it until http.token is set`;
    return hasCredentials ? [{ location, message }] : [];
  });
}

/** Incidents that such a route takes show on the page and in the metrics, and reach nobody. */
function silentRoutes({ routes, notifiers, brainstem }: Definitions): Problem[] {
  const configured = new Set(notifiers.filter(({ unset }) => unset.length === 0).map(({ name }) => name));
  return routes.flatMap(({ notify }, index) => {
    if (brainstem === undefined || notify.some((name) => configured.has(name))) return [];
    const { location } = nearestTree(brainstem, ['routes', index]);
    return [{ location, message: `no notifier of this route is configured: ${notify.join(', ')}` }];
  });
}

function emptyGroups({ routes, probes, brainstem }: Definitions): Problem[] {
  const groups = new Set(probes.map(({ probe }) => probe.group));
  return routes.flatMap(({ match }, index) =>
    (match.group ?? []).flatMap((group, item) => {
      if (brainstem === undefined || groups.has(group)) return [];
      const { location } = nearestTree(brainstem, ['routes', index, 'match', 'group', item]);
      return [{ location, message: `no probe is in the group "${group}"` }];
    }),
  );
}

/** A module that nobody runs is one that somebody forgot to name or to export. */
function unusedModules({ probes }: Definitions, { loaded, idle }: Modules): Problem[] {
  const used = new Set(probes.map(({ probe }) => probe.module?.file));
  const nameless = [...loaded.values()].filter(({ file }) => !used.has(file));
  return [
    ...idle.map((file) => ({
      location: { file, line: 1, column: 1 },
      message: 'defines no probe, and no module imports it; a probe is export default defineProbe({ … })',
    })),
    ...nameless.map(({ runAt }) => ({
      location: runAt,
      message: 'has no "name", and no probe in YAML names it: it never runs',
    })),
  ];
}
