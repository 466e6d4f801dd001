/** What is allowed, but hardly meant. */
import type { Problem, Settings } from '../model.ts';
import type { HomeFiles } from './files.ts';
import { ownStoreHealed } from './own-store.ts';
import type { Definitions } from './references.ts';
import { nearestTree } from './tree.ts';

export function doubts(definitions: Definitions, files: HomeFiles, { store }: Settings): readonly Problem[] {
  return [
    ...silentRoutes(definitions),
    ...emptyGroups(definitions),
    ...ownStoreHealed(definitions, store.url),
    ...files.modules.map(unreadModule),
  ];
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

function unreadModule(file: string): Problem {
  return { location: { file, line: 1, column: 1 }, message: 'probes in code are not supported by this version yet' };
}
