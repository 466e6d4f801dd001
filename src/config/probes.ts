/** A file under `probes/` to probes. */
import { checkKeys } from './check.ts';
import { instancesOf, itemCount, itemName, registerItems } from './each.ts';
import { probeDefaultsSchema, probeSchema } from './file-schemas.ts';
import { manifestOf } from './manifest.ts';
import { checkMarks } from './marks.ts';
import { moduleOf } from './modules.ts';
import { commonPart, readPlugin } from './plugin-entry.ts';
import { assemble } from './probe-assembly.ts';
import type { Defaults, ReadProbe } from './probe-parts.ts';
import { type Reading, readEntries, registerName } from './reading.ts';
import { checkSchedule, type Level } from './schedule.ts';
import { filterKeys, isEmpty, type Tree } from './tree.ts';

const MAX_PROBES = 10_000;
/** In all that `each` makes. */
const MAX_VALUES = 500_000;
const PROBE_KEYS = Object.keys(probeSchema.shape);

export function readProbes(file: Tree, defaults: Defaults, reading: Reading): readonly ReadProbe[] {
  const entries = readEntries(file, 'probes', ['defaults'], reading.problems);
  const inherited = readDefaults(file, reading);
  return entries.flatMap((entry) => readEntry(entry, inherited, defaults, reading));
}

/** One probe, or one for each of its items. */
function readEntry(entry: Tree, file: Level, defaults: Defaults, reading: Reading): readonly ReadProbe[] {
  registerName(entry, 'probe', reading.names.probes, reading.problems);
  if (!fits(entry, reading)) return [];
  const instances = instancesOf(entry, reading.problems);
  registerItems(entry, instances, reading);
  return instances
    .map(({ tree, item }) => readProbe(tree, item, file, defaults, reading))
    .filter((probe) => probe !== undefined);
}

/** The first entry that does not is a problem; what comes after it is passed over. */
function fits(entry: Tree, { tally, problems }: Reading): boolean {
  if (tally.probes > MAX_PROBES || tally.values > MAX_VALUES) return false;
  const count = itemCount(entry);
  tally.probes += count;
  tally.values += (count - 1) * sizeOf(entry);
  const { location } = entry;
  if (tally.probes > MAX_PROBES) problems.add(location, `with this one there are more than ${MAX_PROBES} probes`);
  else if (tally.values > MAX_VALUES)
    problems.add(location, `what "each" makes of this comes to more than ${MAX_VALUES} values`);
  else return true;
  return false;
}

/** Without its items. */
function sizeOf(tree: Tree): number {
  let size = 1;
  for (const [key, child] of tree.children) if (key !== 'each') size += sizeOf(child);
  return size;
}

function readDefaults(file: Tree, { problems }: Reading): Level {
  const written = file.children.get('defaults');
  if (written === undefined || isEmpty(written)) return { keys: {}, tree: { ...file, children: new Map() } };
  const tree = written.kind === 'mapping' ? filterKeys(written, (_, child) => !isEmpty(child)) : written;
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
  const tree = commonPart(entry, options);
  const written = checkKeys(probeSchema, tree, { whole: 'a probe', problems });
  if (written === undefined) return undefined;
  const keys = item === undefined ? written : { ...written, name: itemName(written.name, item) };
  const own: Level = { keys, tree };
  checkSchedule(own, problems);
  const module = plugin && moduleOf(entry, plugin, reading);
  const manifest = plugin && manifestOf(plugin, reading);
  return assemble({ entry, own, keys, file, defaults, plugin, module, manifest, reading });
}
