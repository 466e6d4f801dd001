/**
 * Roots and children: what an incident means for the incidents of the probes that stand on its probe.
 */
import type { Incident, Verdict } from '../model.ts';
import type { Clock } from '../ports.ts';
import type { Dependencies } from './dependencies.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Written } from './state-writer.ts';

export interface Kinship {
  /** After a change of state: children are adopted, and who waits for this probe is probed at once. */
  follow(probe: LiveProbe, written: Written): Promise<void>;
  /** Probes whoever waits for this probe's verdict. */
  wakeWaiting(name: string): void;
  /** A child whose root is over and that still fails stands on its own: now it pages, and may be healed. */
  release(probe: LiveProbe, verdict: Verdict): Promise<void>;
}

export interface KinshipParts {
  readonly clock: Clock;
  readonly desk: IncidentDesk;
  readonly dependencies: Dependencies;
  live(name: string): LiveProbe | undefined;
  wake(name: string): void;
  holdUntil(live: LiveProbe): Promise<number | undefined>;
  onChanged(probe: string): void;
}

/** A child that opened up to this long before its root is adopted. */
const ADOPTION_MS = 60_000;

export function createKinship({ clock, desk, dependencies, live, wake, holdUntil, onChanged }: KinshipParts): Kinship {
  /** Nearest first: who stands on this probe and waits for its verdict, or is a child of its incident. */
  function wakeWaiting(name: string): void {
    for (const dependant of dependencies.dependants(name)) {
      const waits = live(dependant)?.confirmBy !== undefined;
      if (waits || desk.ofProbe(dependant)?.parentId !== undefined) wake(dependant);
    }
  }

  async function adopt(root: Incident): Promise<void> {
    for (const name of dependencies.dependants(root.subject)) {
      const child = desk.ofProbe(name);
      if (!child || child.parentId !== undefined || child.activeAt < clock.now() - ADOPTION_MS) continue;
      await desk.edit(child.id, {
        edit: ({ holdUntil: _hold, ...rest }) => ({ ...rest, parentId: root.id }),
        ...adoption(root),
        ...(child.paged && { alert: 'progress' as const }),
      });
    }
  }

  return {
    wakeWaiting,
    async follow(probe, { incident }) {
      if (incident && probe.state.state === 'down' && incident.parentId === undefined) await adopt(incident);
      if (probe.state.state !== 'unknown') wakeWaiting(probe.definition.name);
    },
    async release(probe, verdict) {
      if (!stillWrong(probe, verdict)) return;
      const child = desk.ofProbe(probe.definition.name);
      if (child?.parentId === undefined || desk.byId(child.parentId)) return;
      const isSame = ({ parentId }: Incident) => parentId === child.parentId;
      const other = dependencies.downRoot(probe.definition);
      const root = other && desk.ofProbe(other.definition.name);
      const seen = { cause: verdict.summary, reason: verdict.reason };
      if (root) {
        const edit = (now: Incident) => (isSame(now) ? { ...now, ...seen, parentId: root.id } : undefined);
        await desk.edit(child.id, { edit, ...adoption(root) });
        return;
      }
      const hold = child.paged || probe.state.state !== 'down' ? undefined : await holdUntil(probe);
      const page = hold === undefined && !child.paged;
      await desk.edit(child.id, {
        edit(now) {
          const { parentId: _parent, ...rest } = now;
          if (!isSame(now)) return undefined;
          return { ...rest, ...seen, paged: rest.paged || page, ...(hold !== undefined && { holdUntil: hold }) };
        },
        kind: 'released',
        text: 'its root is up again, but it still fails',
        ...(page && { alert: 'opened' as const }),
      });
      onChanged(probe.definition.name);
    },
  };
}

/** The newest verdict agrees with the state: it is not about to get better. */
function stillWrong({ state: { state } }: LiveProbe, { kind }: Verdict): boolean {
  if (state === 'degraded') return kind === 'warn' || kind === 'fail';
  return (state === 'down' && kind === 'fail') || (state === 'unknown' && kind === 'unknown');
}

function adoption(root: Incident): { readonly kind: string; readonly text: string } {
  return { kind: 'adopted', text: `is a consequence of ${root.title} (incident ${root.id})` };
}
