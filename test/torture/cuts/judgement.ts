/** What must hold after any number of cuts. Pure. */
import type { Delivery } from '../../estate/receiver.ts';
import type { Progress } from './ordeal.ts';

export interface Evidence {
  readonly progress: Progress;
  readonly deliveries: readonly Delivery[];
  /** Targets whose fix ran. */
  readonly fixes: readonly string[];
}

export interface Finding {
  readonly rule: string;
  readonly looked: number;
  readonly violations: readonly string[];
}

const BEGINNINGS = new Set(['opened', 'reopened', 'escalated', 'reminder']);

export function judge({ progress: { cuts, outages }, deliveries, fixes }: Evidence): readonly Finding[] {
  const about = (subject: string) => deliveries.filter(({ body }) => body.incident?.subject === subject);
  const outageAt = (target: string, at: number) =>
    outages.some((one) => one.target === target && at >= one.from && at <= one.until);
  const onTargets = deliveries.filter(({ body }) => body.incident !== null && body.incident.subject !== 'blind');
  return [
    {
      rule: 'each cut is told once, and its end once',
      looked: cuts.length,
      violations: cuts.flatMap(({ what, from }, index) => {
        const until = cuts[index + 1]?.from ?? Number.POSITIVE_INFINITY;
        const kinds = about('blind')
          .filter(({ at }) => at >= from && at < until)
          .map(({ body }) => body.kind);
        const begun = kinds.filter((kind) => BEGINNINGS.has(kind)).length;
        const ended = kinds.filter((kind) => kind === 'resolved').length;
        return begun === 1 && ended === 1 ? [] : [`${what} at ${from}: ${kinds.join(', ') || 'nothing'}`];
      }),
    },
    {
      rule: 'no cut is blamed on a target',
      looked: onTargets.length,
      violations: onTargets
        .filter(({ at, body }) => !outageAt(body.incident?.subject ?? '', at))
        .map(({ at, body }) => `${body.kind} of ${body.incident?.subject} at ${at}: ${body.text}`),
    },
    {
      rule: 'each true outage is told, and its end',
      looked: outages.length,
      violations: outages.flatMap(({ target, from, until }) => {
        const kinds = about(target)
          .filter(({ at }) => at >= from && at <= until)
          .map(({ body }) => body.kind);
        return kinds.some((kind) => BEGINNINGS.has(kind)) && kinds.includes('resolved')
          ? []
          : [`${target}: ${kinds.join(', ')}`];
      }),
    },
    {
      rule: 'a fix runs for a true outage alone',
      looked: fixes.length,
      violations: fixes
        .filter((target) => !outages.some((one) => one.target === target))
        .map((target) => `fix of ${target}`),
    },
    {
      rule: 'each true outage has its fix run',
      looked: outages.length,
      violations: outages.filter(({ target }) => !fixes.includes(target)).map(({ target }) => target),
    },
  ];
}
