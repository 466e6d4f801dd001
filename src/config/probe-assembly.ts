/** Everything that was read of a probe, with the defaults that it inherits, as one definition. */
import { basename, extname } from 'node:path';
import type { Probe, SourceLocation } from '../model.ts';
import { MAX_LABELS, type ProbeDefaultKeys } from './file-schemas.ts';
import { membersOf } from './members.ts';
import { judging } from './probe-judging.ts';
import type { ProbeParts, ReadProbe } from './probe-parts.ts';
import { revisionOf } from './revision.ts';
import { retryEveryOf, scheduleOf, timeoutOf } from './schedule.ts';
import { nearestTree, type Path, type Tree, unsetNames } from './tree.ts';

const RELAPSE_MS = 15 * 60_000;
const NO_LABELS: Probe['labels'] = {};

export function assemble(parts: ProbeParts): ReadProbe {
  const { entry, keys, file, plugin } = parts;
  const { location } = entry;
  const spec = plugin?.spec;
  const { module, manifest } = parts;
  const definition = {
    name: keys.name,
    title: keys.title ?? keys.name,
    type: plugin?.type.name ?? '',
    spec,
    target: spec === undefined ? '' : (plugin?.type.target(spec) ?? ''),
    ...timing(parts),
    ...judging(parts),
    ...consequences(parts),
    paused: keys.paused ?? file.keys.paused ?? false,
    exportFields: keys.export ?? [],
    unset: unsetOf(parts),
  };
  const code = module === undefined ? [] : [module.revision];
  const revision = revisionOf([withSources(definition), ...code, ...(manifest ?? [])]);
  const targetRevision = revisionOf([definition.type, spec, ...code]);
  const probe = compact(
    { ...definition, ...(module && { module }), ...(manifest && { manifest }) },
    revision,
    targetRevision,
    location,
  );
  const place = (path: Path) => nearestTree(levelTree(parts, path), path).location;
  return { probe, type: plugin?.type, members: plugin ? membersOf(plugin) : [], place };
}

/**
 * Spelt out, optional keys last: all probes then share a few hidden classes of V8, where what is made of spreads gets one of
 * its own, at 800 bytes each.
 */
function compact(
  definition: Omit<Probe, 'revision' | 'targetRevision' | 'location'>,
  revision: string,
  targetRevision: string,
  location: SourceLocation,
): Probe {
  const { retryEveryMs, notify, runbook, slo, module, manifest } = definition;
  const probe: { -readonly [Key in keyof Probe]: Probe[Key] } = {
    name: definition.name,
    title: definition.title,
    type: definition.type,
    spec: definition.spec,
    target: definition.target,
    schedule: definition.schedule,
    timeoutMs: definition.timeoutMs,
    expect: definition.expect.slice(),
    warn: definition.warn.slice(),
    failAfter: definition.failAfter,
    recoverAfter: definition.recoverAfter,
    severity: definition.severity,
    dependsOn: definition.dependsOn,
    remediate: definition.remediate,
    pageAfterMs: definition.pageAfterMs,
    relapseMs: definition.relapseMs,
    group: definition.group,
    labels: definition.labels,
    paused: definition.paused,
    exportFields: definition.exportFields,
    unset: definition.unset,
    revision,
    targetRevision,
    location,
  };
  if (retryEveryMs !== undefined) probe.retryEveryMs = retryEveryMs;
  if (notify !== undefined) probe.notify = notify;
  if (runbook !== undefined) probe.runbook = runbook;
  if (slo !== undefined) probe.slo = slo;
  if (module !== undefined) probe.module = module;
  if (manifest !== undefined) probe.manifest = manifest;
  return probe;
}

/** References may stand in the probe or in the defaults of its file. */
function levelTree({ own, file }: ProbeParts, [key]: Path): Tree {
  return own.tree.children.has(String(key)) || !file.tree.children.has(String(key)) ? own.tree : file.tree;
}

function timing({ own, file, defaults, reading }: ProbeParts) {
  const levels = [own, file];
  const schedule = scheduleOf(levels, defaults.every);
  const timeoutMs = timeoutOf(schedule, own, file.keys.timeout ?? defaults.timeout, reading.problems);
  const retryEveryMs = retryEveryOf(schedule, levels, reading.problems);
  return { schedule, timeoutMs, ...(retryEveryMs !== undefined && { retryEveryMs }) };
}

function consequences({ entry, keys, file, own, plugin, reading }: ProbeParts) {
  const shared: ProbeDefaultKeys = { ...file.keys, ...keys };
  const labels = { ...file.keys.labels, ...keys.labels };
  if (Object.keys(labels).length > MAX_LABELS) {
    const place = nearestTree(own.tree, ['labels']).location;
    reading.problems.add(place, `with those of the defaults there are more than ${MAX_LABELS} labels`);
  }
  return {
    dependsOn: shared.depends_on ?? [],
    pageAfterMs: shared.page_after ?? 0,
    relapseMs: shared.relapse ?? RELAPSE_MS,
    group: shownIn(plugin) ?? shared.group ?? basename(entry.location.file, extname(entry.location.file)),
    labels: Object.keys(labels).length === 0 ? NO_LABELS : labels,
    ...(shared.notify !== undefined && { notify: shared.notify }),
    ...(shared.runbook !== undefined && { runbook: shared.runbook }),
    ...(shared.slo && { slo: { objectivePercent: shared.slo.objective, windowMs: shared.slo.window } }),
  };
}

function shownIn(plugin: ProbeParts['plugin']): string | undefined {
  return plugin?.spec === undefined ? undefined : plugin.type.shownIn?.(plugin.spec);
}

/** Of the entry itself and of those defaults that it does not replace. */
function unsetOf({ entry, own, file }: ProbeParts): readonly string[] {
  const inherited = [...file.tree.children].filter(([key]) => key === 'labels' || !own.tree.children.has(key));
  return [...new Set([...unsetNames(entry), ...inherited.flatMap(([, tree]) => unsetNames(tree))])].sort();
}

/** Conditions by what was written: a compiled one is all functions. */
function withSources(definition: Pick<Probe, 'expect' | 'warn' | 'remediate'>): unknown {
  const { expect, warn, remediate } = definition;
  return {
    ...definition,
    expect: expect.map(({ source }) => source),
    warn: warn.map(({ source }) => source),
    remediate: remediate.map(({ when, rungs }) => ({ when: when?.source, rungs })),
  };
}
