/** Probes of several items: which item a fix is for, what it acts on then, and whether that one still fails. */
import type { Attempt, FailingItem, Remediation, Resource } from '../model.ts';
import type { Registries } from '../ports.ts';
import type { LiveProbe } from './live-probe.ts';

/** The items that the newest run saw failing; undefined for a probe of one thing. */
export function failingOf({ last }: LiveProbe): readonly FailingItem[] | undefined {
  return last?.observation.failing;
}

/** The item as the newest run saw it failing, the first one if none is meant; undefined: it does not fail any more. */
export function itemNow(live: LiveProbe, meant: FailingItem | undefined): FailingItem | undefined {
  const failing = failingOf(live);
  return meant === undefined ? failing?.[0] : failing?.find(({ item }) => item === meant.item);
}

/** What a probe's newest run observed that can be acted on. */
export function observedBy(
  live: LiveProbe,
  { probeTypes }: Registries,
  meant?: FailingItem | undefined,
): Resource | undefined {
  const { definition, last } = live;
  if (!last) return undefined;
  if (last.observation.failing !== undefined) return itemNow(live, meant)?.resource;
  return probeTypes[definition.type]?.resource?.(definition.spec, last.observation.fields);
}

/** The lock, and what attempts are counted under; undefined: the target does not resolve, or is not configured. */
export function lockOf(
  { name, type, spec, unset, resource }: Remediation,
  observed: Resource | undefined,
  { actionTypes }: Registries,
): string | undefined {
  const derived = unset.length > 0 ? undefined : actionTypes[type]?.resource(spec, name, observed);
  return derived && (resource ?? derived);
}

/** Whether what an attempt acted on was seen failing; undefined: the probe has no items, and speaks as a whole. */
export function stillFails(
  { resource }: Attempt,
  live: LiveProbe,
  remediation: Remediation,
  registries: Registries,
): boolean | undefined {
  return failingOf(live)?.some((item) => lockOf(remediation, item.resource, registries) === resource);
}
