/**
 * Puts changes of state on record. While the store is away they are kept, each with its time; when it is back the changes of
 * a probe are written one after the other, and only the state that still holds is told.
 */
import type { ProbeState, StateName, Verdict } from '../model.ts';
import type { Clock } from '../ports.ts';
import { type Backlog, probeLine } from './backlog.ts';
import type { Dependencies } from './dependencies.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Written } from './state-writer.ts';

/** What a run has changed, before anything is decided about its incident. */
export interface Tracked {
  readonly live: LiveProbe;
  readonly from: StateName;
  readonly next: ProbeState;
  readonly verdict: Verdict;
  /** False: the probe was paused, removed or given another target meanwhile, and nothing is written. */
  wanted(): boolean;
}

export interface StateLedger {
  /** `kept`: the store is away, and the tracker goes on in memory. undefined: it was not wanted any more. */
  write(change: Tracked): Promise<Written | 'kept' | undefined>;
  /** Probes whose state is not on record as it is. */
  waiting(): Iterable<string>;
}

export interface LedgerParts {
  readonly clock: Clock;
  readonly desk: IncidentDesk;
  readonly backlog: Backlog;
  readonly dependencies: Dependencies;
  holdUntil(live: LiveProbe, onceBack?: boolean): Promise<number | undefined>;
  /** A state that was kept is on record, and told: whoever follows it does. */
  onWritten(live: LiveProbe, written: Written): Promise<void>;
}

interface Kept extends Tracked {
  /** As it was then: the time to detect counts from it. */
  readonly firstFailureAt: number | undefined;
}

/** Changes kept of one probe. One that flaps for hours keeps the first ones, and the newest. */
const MOST_KEPT = 100;

export function createStateLedger(parts: LedgerParts): StateLedger {
  const { clock, desk, backlog, dependencies, onWritten } = parts;
  /** By probe, oldest first; what is being written stands at the front until it is. */
  const chains = new Map<string, Kept[]>();

  function append(chain: Kept[], change: Kept): void {
    const last = chain.length < MOST_KEPT ? undefined : chain.pop();
    chain.push(last ? { ...change, from: last.from } : change);
  }

  async function record(change: Kept, { again, quiet }: { readonly again: boolean; readonly quiet: boolean }) {
    const { live, next } = change;
    const root = next.state === 'down' ? rootOf(live) : undefined;
    const holdUntil = next.state === 'down' && !root && !quiet ? await hold(live, next.since, again) : undefined;
    return desk.change({ ...change, root, holdUntil, again, quiet });
  }

  function rootOf({ definition }: LiveProbe) {
    const root = dependencies.downRoot(definition);
    return root && desk.ofProbe(root.definition.name);
  }

  /** `page_after` counts from the confirmation, also when that was long ago. */
  async function hold(live: LiveProbe, since: number, again: boolean): Promise<number | undefined> {
    const until = await parts.holdUntil(live, again);
    if (until === undefined || !again) return until;
    const left = Math.min(until, since + live.definition.pageAfterMs);
    return left > clock.now() ? left : undefined;
  }

  /** What has ended meanwhile is recorded and not told: people hear of what still holds. */
  async function replay(live: LiveProbe, chain: Kept[]): Promise<void> {
    let last: Written | undefined;
    for (let change = chain[0]; change; change = chain[0]) {
      last = await record(change, { again: true, quiet: chain.length > 1 });
      chain.shift();
    }
    chains.delete(live.definition.name);
    if (last) await onWritten(live, last);
  }

  return {
    async write(change) {
      const { live } = change;
      const name = live.definition.name;
      const kept: Kept = { ...change, firstFailureAt: live.firstFailureAt };
      const earlier = chains.get(name);
      if (earlier) {
        append(earlier, kept);
        return 'kept';
      }
      const chain = [kept];
      const written = await backlog.write<Written | undefined>({
        key: `state:${name}`,
        line: probeLine(name),
        write: (again) =>
          again ? replay(live, chain).then(() => undefined) : record(kept, { again: false, quiet: false }),
      });
      // It may have been replayed already.
      if (written === 'kept' && chain.length > 0) chains.set(name, chain);
      return written;
    },
    waiting: () => chains.keys(),
  };
}
