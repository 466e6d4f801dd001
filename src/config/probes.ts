/** A file under `probes/` to probes. */
import { basename, extname } from 'node:path';
import type { Condition, FieldDeclarations, Ladder, Probe, ProbeModule, SourceLocation } from '../model.ts';
import type { ProbeType } from '../ports.ts';
import { checkKeys } from './check.ts';
import { compileAt, compileList, exportFault, type Scope, withImplied } from './conditions.ts';
import { instancesOf, itemName, registerItems } from './each.ts';
import {
  type BrainstemKeys,
  MAX_LABELS,
  type ProbeDefaultKeys,
  type ProbeKeys,
  probeDefaultsSchema,
  probeSchema,
} from './file-schemas.ts';
import { manifestOf } from './manifest.ts';
import { checkMarks } from './marks.ts';
import { type Member, membersOf } from './members.ts';
import { moduleOf } from './modules.ts';
import { commonPart, type PluginEntry, readPlugin } from './plugin-entry.ts';
import { type Reading, readEntries, registerName } from './reading.ts';
import { revisionOf } from './revision.ts';
import { checkSchedule, type Level, retryEveryOf, scheduleOf, timeoutOf } from './schedule.ts';
import { isEmpty, nearestTree, type Path, type Tree, unsetNames } from './tree.ts';

const PROBE_KEYS = Object.keys(probeSchema.shape);
const RELAPSE_MS = 15 * 60_000;
const NO_LABELS: Probe['labels'] = {};

/** A probe, and where each of its references was written. */
export interface ReadProbe {
  readonly probe: Probe;
  /** Absent while it is invalid: then only its references are checked. */
  readonly type: ProbeType | undefined;
  /** Other probes that its spec names, because it is made of them. */
  readonly members: readonly Member[];
  place(path: Path): SourceLocation;
}

type Defaults = BrainstemKeys['defaults'];

export function readProbes(file: Tree, defaults: Defaults, reading: Reading): readonly ReadProbe[] {
  const entries = readEntries(file, 'probes', ['defaults'], reading.problems);
  const inherited = readDefaults(file, reading);
  return entries.flatMap((entry) => readEntry(entry, inherited, defaults, reading));
}

/** One probe, or one for each of its items. */
function readEntry(entry: Tree, file: Level, defaults: Defaults, reading: Reading): readonly ReadProbe[] {
  registerName(entry, 'probe', reading.names.probes, reading.problems);
  const instances = instancesOf(entry, reading.problems);
  registerItems(entry, instances, reading);
  return instances
    .map(({ tree, item }) => readProbe(tree, item, file, defaults, reading))
    .filter((probe) => probe !== undefined);
}

function readDefaults(file: Tree, { problems }: Reading): Level {
  const written = file.children.get('defaults');
  if (written === undefined || isEmpty(written)) return { keys: {}, tree: { ...file, children: new Map() } };
  const tree = written.kind === 'mapping' ? commonPart(written, [...written.children.keys()]) : written;
  const keys = checkKeys(probeDefaultsSchema, tree, { whole: '"defaults"', problems }) ?? {};
  checkSchedule({ keys, tree }, problems);
  return { keys, tree };
}

function readProbe(
  entry: Tree,
  item: string | undefined,
  file: Level,
  defaults: Defaults,
  reading: Reading,
): ReadProbe | undefined {
  const { problems, secrets, registries } = reading;
  const options = { kind: 'probe', types: registries.probeTypes, commonKeys: PROBE_KEYS, problems, secrets };
  const plugin = readPlugin(entry, options);
  if (plugin !== undefined) checkMarks(plugin.type.spec, plugin.tree, problems);
  const tree = commonPart(entry, PROBE_KEYS);
  const written = checkKeys(probeSchema, tree, { whole: 'a probe', problems });
  if (written === undefined) return undefined;
  const keys = item === undefined ? written : { ...written, name: itemName(written.name, item) };
  const own: Level = { keys, tree };
  checkSchedule(own, problems);
  const module = plugin && moduleOf(entry, plugin, reading);
  const manifest = plugin && manifestOf(plugin, reading);
  return assemble({ entry, own, keys, file, defaults, plugin, module, manifest, reading });
}

interface Parts {
  readonly entry: Tree;
  readonly own: Level;
  readonly keys: ProbeKeys;
  readonly file: Level;
  readonly defaults: Defaults;
  readonly plugin: PluginEntry<ProbeType> | undefined;
  readonly module: ProbeModule | undefined;
  readonly manifest: Probe['manifest'];
  readonly reading: Reading;
}

function assemble(parts: Parts): ReadProbe {
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
  const { retryEveryMs, notify, runbook, module, manifest } = definition;
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
  if (module !== undefined) probe.module = module;
  if (manifest !== undefined) probe.manifest = manifest;
  return probe;
}

/** References may stand in the probe or in the defaults of its file. */
function levelTree({ own, file }: Parts, [key]: Path): Tree {
  return own.tree.children.has(String(key)) || !file.tree.children.has(String(key)) ? own.tree : file.tree;
}

function timing({ own, file, defaults, reading }: Parts) {
  const levels = [own, file];
  const schedule = scheduleOf(levels, defaults.every);
  const timeoutMs = timeoutOf(schedule, own, file.keys.timeout ?? defaults.timeout, reading.problems);
  const retryEveryMs = retryEveryOf(schedule, levels, reading.problems);
  return { schedule, timeoutMs, ...(retryEveryMs !== undefined && { retryEveryMs }) };
}

function judging(parts: Parts) {
  const { own, keys, file, defaults, plugin, reading } = parts;
  const type = plugin?.type;
  if (type !== undefined) checkExports(own.tree, keys, fieldsOf(parts, type), reading);
  return {
    failAfter: keys.fail_after ?? file.keys.fail_after ?? type?.defaults?.failAfter ?? defaults.fail_after,
    recoverAfter:
      keys.recover_after ?? file.keys.recover_after ?? type?.defaults?.recoverAfter ?? defaults.recover_after,
    severity: keys.severity ?? file.keys.severity ?? ('warning' as const),
    ...(type === undefined ? { expect: [], warn: [], remediate: [] } : conditions(parts, type)),
  };
}

function conditions(parts: Parts, type: ProbeType) {
  const { own, file, defaults, entry, plugin, reading } = parts;
  const schedule = scheduleOf([own, file], defaults.every);
  const everyMs = schedule.kind === 'interval' ? schedule.everyMs : undefined;
  const scope: Scope = { fields: fieldsOf(parts, type), everyMs, windows: true };
  const compile = (key: string): readonly Condition[] =>
    compileList(own.tree.children.get(key), scope, reading.problems);
  const implied = { ...scope, location: entry.location };
  return {
    expect: withImplied(compile('expect'), impliedExpectOf(type, plugin?.spec), implied),
    warn: withImplied(compile('warn'), type.impliedWarn, implied),
    remediate: ladders(parts, { ...scope, windows: false }),
  };
}

function impliedExpectOf({ impliedExpect }: ProbeType, spec: unknown): ProbeType['impliedExpect'] {
  return spec === undefined || impliedExpect?.appliesTo?.(spec) !== false ? impliedExpect : undefined;
}

function ladders({ own, keys, reading }: Parts, scope: Scope): readonly Ladder[] {
  return (keys.remediate ?? []).map((ladder, index) => {
    const tree = own.tree.children.get('remediate')?.children.get(String(index));
    const when = compileAt(tree?.children.get('when'), scope, reading.problems);
    const rungs = ladder.try.map((rung) =>
      typeof rung === 'string' ? { remediation: rung, tries: 1 } : { remediation: rung.name, tries: rung.tries },
    );
    return { rungs, ...(when !== undefined && { when }) };
  });
}

/** What its code declares, where it has some. */
function fieldsOf({ module }: Parts, type: ProbeType): FieldDeclarations {
  return module?.fields ?? type.fields;
}

function checkExports(tree: Tree, keys: ProbeKeys, fields: FieldDeclarations, { problems }: Reading): void {
  for (const [index, path] of (keys.export ?? []).entries()) {
    const fault = exportFault(path, fields);
    if (fault !== undefined) problems.add(nearestTree(tree, ['export', index]).location, fault);
  }
}

function consequences({ entry, keys, file, own, reading }: Parts) {
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
    group: shared.group ?? basename(entry.location.file, extname(entry.location.file)),
    labels: Object.keys(labels).length === 0 ? NO_LABELS : labels,
    ...(shared.notify !== undefined && { notify: shared.notify }),
    ...(shared.runbook !== undefined && { runbook: shared.runbook }),
  };
}

/** Of the entry itself and of those defaults that it does not replace. */
function unsetOf({ entry, own, file }: Parts): readonly string[] {
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
