/** A fix that a person asks for: the same plan and the same attempt as any other, and an answer in words. */
import { NotFoundError } from '../errors.ts';
import type { Attempt, Configuration, Plan, Remediation, Resource } from '../model.ts';
import { instead } from '../nearest.ts';
import type { RemediateRequest, Store } from '../ports.ts';
import type { AttemptRunner } from './attempt-runner.ts';
import type { HealerOutcomes } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { itemNow } from './items.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Planner } from './plan-facts.ts';
import type { UnderWay } from './under-way.ts';

export interface FixByHandParts {
  readonly store: Store;
  readonly desk: IncidentDesk;
  readonly planner: Planner;
  readonly attempt: AttemptRunner;
  readonly outcomes: HealerOutcomes;
  configuration(): Configuration;
  live(name: string): LiveProbe | undefined;
  /** What the act of a remediation would be, in words without secrets; empty while it is unconfigured. */
  would(remediation: Remediation, observed: Resource | undefined): string;
}

interface Remediated {
  readonly plan: Plan;
  readonly attempt?: Attempt;
  readonly would: string;
}

/** Errors: NotFoundError. */
export type FixByHand = (request: RemediateRequest) => Promise<Remediated>;

export function createFixByHand(parts: FixByHandParts, underWay: UnderWay): FixByHand {
  const { store, desk, planner, attempt, outcomes, configuration, live } = parts;

  return async ({ remediation: name, probe: probeName, by, dryRun }) => {
    const { remediations, probes } = configuration();
    const remediation = remediations.get(name);
    const probe = live(probeName);
    if (!remediation) throw unknown('remediation', name, remediations.keys());
    if (!probe) throw unknown('probe', probeName, probes.keys());
    const incident = desk.ofProbe(probeName);
    const question = { remediation, live: probe, item: itemNow(probe, undefined), incident, byHand: true };
    const { plan, resource, observed } = await planner(store, question);
    const act = parts.would(remediation, observed);
    const would = `run ${name} (${remediation.type}) on ${resource ?? 'nothing'} for ${probeName}${act && `: ${act}`}`;
    if (dryRun) return { plan, would };
    const no = plan.go ? underWay.refusal(probeName) : plan;
    if (no) {
      outcomes.count(probeName, remediation, no);
      return { plan: no, would };
    }
    const work = attempt({ ...question, requestedBy: by });
    underWay.begin(probeName, work);
    return { ...(await work), would };
  };
}

function unknown(kind: 'remediation' | 'probe', name: string, known: Iterable<string>): NotFoundError {
  return new NotFoundError(`${kind}_unknown`, `no ${kind} is called "${name}"${instead(name, known)}`);
}
