/** What heals, put together: the plan, the acts and their proof, and the switches that people have. */
import type { Configuration } from '../model.ts';
import type { Store } from '../ports.ts';
import { createActionRunner } from './action-runner.ts';
import { createIntent } from './attempt-intent.ts';
import { createAttemptJournal } from './attempt-journal.ts';
import { createProlong } from './attempt-lease.ts';
import { createAttemptRunner } from './attempt-runner.ts';
import type { Backlog } from './backlog.ts';
import { createHealer, type Healer } from './healer.ts';
import { createHealerOutcomes } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { createNextFix, type NextFix } from './next-fix.ts';
import { createPlanner } from './plan-facts.ts';
import { recoverAttempts } from './recovery.ts';
import type { RuntimeParts } from './runtime-parts.ts';
import type { Outage } from './store-watch.ts';
import { createSwitches, type Switches } from './switches.ts';
import { createTargetHand } from './target-hand.ts';
import { createVerification } from './verification.ts';
import type { Watching } from './watching.ts';

export interface Healing {
  readonly switches: Switches;
  readonly nextFix: NextFix;
  readonly healer: Healer;
  /** What an earlier process, or an answer that was lost, left in the middle; nothing else is tried on its probe meanwhile. */
  takeUp(): Promise<void>;
  /** Another daemon may act in our place from now on: what acts here is ended at once. What begins later is not concerned. */
  breakOff(why: Error): void;
  /** Begins nothing more; acts under way may end by themselves for a while. */
  stop(): Promise<void>;
}

export interface HealingParts
  extends Pick<RuntimeParts, 'registries' | 'clock' | 'log' | 'meter' | 'environment' | 'redact'> {
  readonly store: Store;
  readonly backlog: Backlog;
  readonly desk: IncidentDesk;
  readonly watching: Watching;
  configuration(): Configuration;
  outage(): Outage | undefined;
  /** Aborts when the daemon stops: what can be taken up again by its next start ends at once. */
  readonly stopping: AbortSignal;
}

/** Acts under way may end by themselves for this long when the daemon stops. */
const DRAIN_MS = 6_000;

export function createHealing(parts: HealingParts): Healing {
  const { store, backlog, desk, registries, clock, log, meter, environment, redact } = parts;
  const { configuration, outage, stopping } = parts;
  const { probes, pipeline, vantage, selfWatch } = parts.watching;
  const acting = new AbortController();
  let hold = new AbortController();
  const home = () => configuration().settings.home;

  const switches = createSwitches({
    ...{ store, clock, log, onChanged: () => healer.look() },
    freezeFile: () => configuration().settings.healing.freezeFile,
  });
  const planner = createPlanner({
    ...{ clock, registries, switches, dependencies: pipeline.dependencies, configuration, outage },
    blindness: vantage.blindness,
    freshAfter: selfWatch.freshAfter,
  });
  const acts = { clock, redact, home, stopping: acting.signal };
  const runAction = createActionRunner({
    ...{ ...acts, actionTypes: registries.actionTypes, log, environment },
    ...{ isHeld: store.isHeld, hold: () => hold.signal },
  });
  const journal = createAttemptJournal({ store, clock, log, meter, desk, backlog });
  // What can be taken up again by the next start ends at once; an act that has begun may end by itself.
  const begins = { ...acts, store, journal, runNow: pipeline.runAfresh, stopping };
  const handOn = createTargetHand({ registries, clock, log, stopping });
  const intent = createIntent({ ...begins, meter, desk, planner, handOn, runAction });
  const verify = createVerification({
    ...{ ...begins, registries, isWatched: probes.isWatched },
    isBlind: () => vantage.blindness() !== undefined,
    prolong: createProlong({ store, clock, log, backlog }),
  });
  const attempt = createAttemptRunner({ ...acts, intent, journal, verify, runAction });
  const nextFix = createNextFix({ store, clock, desk, planner, registries, configuration });
  const outcomes = createHealerOutcomes({ store, clock, log, meter, desk, switches, live: probes.get });
  const healer = createHealer({
    ...{ store, clock, log, desk, planner, attempt, nextFix, outcomes, configuration, outage },
    ...{ live: probes.get, all: probes.all },
    would({ type, spec, unset }, observed) {
      return unset.length > 0 ? '' : redact(registries.actionTypes[type]?.would(spec, observed) ?? '');
    },
  });

  return {
    ...{ switches, nextFix, healer },
    takeUp: () =>
      recoverAttempts({
        ...{ store, log, desk, journal, verify, healer, configuration, live: probes.get },
        gated: (type) => registries.actionTypes[type]?.gated === true,
      }),
    breakOff(why) {
      hold.abort(why);
      hold = new AbortController();
    },
    async stop() {
      const patience = setTimeout(() => acting.abort(new DOMException('the daemon stops', 'AbortError')), DRAIN_MS);
      await healer.stop();
      clearTimeout(patience);
      acting.abort();
    },
  };
}
