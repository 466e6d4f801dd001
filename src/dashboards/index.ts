/**
 * Grafana dashboards as code: a line for each file of `dashboards/`, which `npm run generate` writes. A tool of the repository:
 * nothing of the daemon imports this room, and it is not part of the built program.
 */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { overview } from './overview.ts';

const dashboards: Readonly<Record<string, () => Dashboard>> = { overview };

/** Text of each file by its name, without ending. */
export function dashboardFiles(): Readonly<Record<string, string>> {
  const files = Object.entries(dashboards).map(([name, build]) => [name, `${JSON.stringify(build(), undefined, 2)}\n`]);
  return Object.fromEntries(files);
}
