/** A file under `probes/` to probes. */
import { checkKeys } from './check.ts';
import { instancesOf, itemName, registerItems } from './each.ts';
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

const PROBE_KEYS = Object.keys(probeSchema.shape);

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
