/**
 * One round: a life of the daemon, what is broken during it, and how it is killed. Pure: seed and number decide all of it.
 */
import { FAILPOINTS, type Failpoint } from '../../src/failpoint.ts';
import type { Break, FixMode } from '../estate/service.ts';
import { type Random, seeded } from './random.ts';

export const SERVICES = ['plain', 'held', 'child', 'relapsing'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface PlannedBreak {
  readonly service: ServiceName;
  readonly how: Break;
  /** From where `livesMs` counts; at the daemon's death at the latest. */
  readonly afterMs: number;
  /** How the next fix behaves. */
  readonly fix: FixMode;
  /** Also while the service is still being healed. */
  readonly eager: boolean;
}

export interface Round {
  /** Killed before it has started, if it takes that long. */
  readonly whileStarting: boolean;
  /** Until kill -9: from the moment it has started, or from the start of its process. */
  readonly livesMs: number;
  /** It kills itself at this step instead, if it gets there in time. */
  readonly failpoint?: { readonly name: Failpoint; readonly passage: number };
  /** Before the next start. */
  readonly pauseMs: number;
  readonly breaks: readonly PlannedBreak[];
}

export function planRound(seed: string, number: number): Round {
  const random = seeded(`${seed}/${number}`);
  const failpoint = random.chance(0.4) ? planFailpoint(random) : undefined;
  const whileStarting = random.chance(0.2) && !failpoint;
  const livesMs = failpoint ? FAILPOINT_MS : whileStarting ? random.between(0, 1_200) : random.between(0, 5_000);
  const breaks = Array.from({ length: random.pick([1, 1, 2, 3]) }, () => planBreak(random, livesMs));
  return {
    ...{ whileStarting, livesMs },
    ...(failpoint && { failpoint }),
    pauseMs: random.chance(0.5) ? 0 : random.between(0, 800),
    breaks: breaks.sort((one, other) => one.afterMs - other.afterMs),
  };
}

/** How long the daemon is given to reach its failpoint: a step at which a kill is worth more than its share of time would give it. */
const FAILPOINT_MS = 6_000;

function planFailpoint(random: Random): NonNullable<Round['failpoint']> {
  const name = random.pick(FAILPOINTS);
  return { name, passage: name === 'observed' ? random.between(1, 30) : random.pick([1, 1, 2, 3]) };
}

function planBreak(random: Random, livesMs: number): PlannedBreak {
  return {
    service: random.pick(SERVICES),
    how: random.pick(['kill', 'hang', '500']),
    afterMs: random.between(0, livesMs / 2),
    fix: random.chance(0.6) ? 'works' : random.pick(['idles', 'fails', 'lasts 300', 'lasts 1500', 'lasts 8000']),
    eager: random.chance(0.15),
  };
}
