/** Modules under `probes/` to what the readers of definitions take: trees with places, and code that can be run. */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { dirname, posix } from 'node:path';
import { z } from 'zod';
import type { FieldDeclarations, ProbeModule } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import type { ProbeType } from '../ports.ts';
import type { ReadAnswer } from '../shared/modules/protocol.ts';
import { readModules } from '../shared/modules/read-modules.ts';
import { check } from './check.ts';
import type { Environment } from './environment.ts';
import { type HomeFiles, readText } from './files.ts';
import { ModulePlaces, type Place } from './module-places.ts';
import type { PluginEntry } from './plugin-entry.ts';
import type { Problems } from './problems.ts';
import type { Modules, Reading } from './reading.ts';
import { type Lookup, substitute } from './substitute.ts';
import { filterKeys, isEmpty, type Tree } from './tree.ts';

/** The probe type that runs modules, and its options that stand beside the keys of a probe in a module. */
const TYPE = 'custom';
const OPTIONS = ['env', 'secrets', 'options'];

const fieldType: z.ZodType<FieldDeclarations[string]['type']> = z.lazy(() =>
  z.union([z.enum(['double', 'string', 'bool', 'list', 'map', 'dyn']), fieldsSchema]),
);
const fieldsSchema: z.ZodType<FieldDeclarations> = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name: letters, digits and "_"'),
  z.strictObject({ type: fieldType, unit: z.string().exactOptional(), summary: z.string().default('') }),
);

const ANYTHING: FieldDeclarations = { '*': { type: 'dyn', summary: 'What else the module returns' } };
const RESERVED = ['ok', 'reason', 'latency_ms', 'error'];

export const NO_MODULES: Modules = { loaded: new Map(), broken: new Set(), idle: [] };

export interface LoadedModules {
  readonly modules: Modules;
  /** Of the modules that are probes by themselves, by file. */
  readonly trees: ReadonlyMap<string, Tree>;
}

interface Home {
  readonly root: string;
  readonly files: HomeFiles;
  readonly environment: Environment;
  readonly lookup: Lookup;
  readonly problems: Problems;
}

/** Evaluates each of `texts`, in threads: nothing that a module does can break the daemon. */
export async function loadModules(texts: ReadonlyMap<string, string>, given: Home): Promise<LoadedModules> {
  // Imports are resolved to real paths.
  const home = { ...given, root: await realpath(given.root) };
  const answers = await readModules(home.root, [...texts.keys()], home.environment);
  const parts = await hashOfParts(home);
  const loaded = new Map<string, ProbeModule>();
  const broken = new Set(home.files.modules.filter((file) => !texts.has(file)));
  const trees = new Map<string, Tree>();
  for (const [file, answer] of answers) {
    const before = home.problems.count;
    const read = readModule(file, texts.get(file) ?? '', answer, parts, home);
    if (read?.module) loaded.set(file, read.module);
    if (read?.tree) trees.set(file, read.tree);
    if (home.problems.count > before) broken.add(file);
  }
  return { modules: { loaded, broken, idle: idleOf(answers) }, trees };
}

function idleOf(answers: ReadonlyMap<string, ReadAnswer>): readonly string[] {
  const read = [...answers].flatMap(([file, answer]) => (answer.kind === 'read' ? [{ file, ...answer }] : []));
  const imported = new Set(read.flatMap(({ imports }) => imports));
  return read.flatMap(({ file, realFile, definition }) => (definition || imported.has(realFile) ? [] : [file]));
}

/** What is imported without being compiled is not in the code of a module: a change of it is a change of all of them. */
async function hashOfParts({ root, files, problems }: Home): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...files.modules.filter((file) => /js$/.test(file)), ...files.parts]) {
    hash.update(JSON.stringify([file, await readText(root, file, problems)]));
  }
  return hash.digest('hex');
}

function readModule(file: string, text: string, answer: ReadAnswer, parts: string, home: Home) {
  const { problems, lookup } = home;
  if (answer.kind === 'faulty') {
    problems.add(answer.fault.location, answer.fault.message);
    return undefined;
  }
  if (answer.definition === undefined) return undefined;
  const places = new ModulePlaces(file, text);
  const tree = treeOf(answer.definition, places.definition, places, { lookup, problems });
  const isProbe = tree.children.has('name');
  if (!isProbe) reportStray(tree, problems);
  const fields = readFields(tree, problems);
  const hash = createHash('sha256')
    .update(JSON.stringify([...answer.code]))
    .update(parts);
  const module: ProbeModule = {
    ...{ home: home.root, file, runAt: places.run, code: answer.code },
    fields: { ...fields, ...ANYTHING },
    revision: hash.digest().toString('hex', 0, 8),
  };
  return { module, ...(isProbe && { tree: asFile(file, tree) }) };
}

/** Where YAML names the module, everything but its fields stands there. */
function reportStray(definition: Tree, problems: Problems): void {
  for (const [key, child] of definition.children) {
    if (key === 'fields') continue;
    const message = `"${key}" belongs to a probe, and this module has no "name"; write it in the YAML that names the module`;
    problems.add(child.keyLocation, message);
  }
}

function readFields(definition: Tree, problems: Problems): FieldDeclarations {
  const written = definition.children.get('fields');
  if (written === undefined) return {};
  const result = check(fieldsSchema, written, { whole: '"fields"', problems });
  for (const name of RESERVED) {
    const place = written.children.get(name);
    if (place) problems.add(place.keyLocation, `"${name}" is what Brainstem says itself; take another name`);
  }
  return result.kind === 'valid' ? result.value : {};
}

/** As if it had been written in YAML: one probe, of the type that runs modules. */
function asFile(file: string, definition: Tree): Tree {
  const { location, keyLocation } = definition;
  const mapping = (children: ReadonlyMap<string, Tree>): Tree => ({
    ...{ kind: 'mapping', value: undefined, location, keyLocation, children },
  });
  const module: Tree = {
    kind: 'scalar',
    value: file.replace(/^.*\//, './'),
    location,
    keyLocation,
    children: new Map(),
  };
  const options = filterKeys(definition, (key, child) => OPTIONS.includes(key) && !isEmpty(child)).children;
  const entry = mapping(
    new Map([
      ...[...definition.children].filter(([key]) => key !== 'fields' && !OPTIONS.includes(key)),
      [TYPE, mapping(new Map([['module', module], ...options]))],
    ]),
  );
  const list: Tree = { ...mapping(new Map([['0', entry]])), kind: 'list' };
  return mapping(new Map([['probes', list]]));
}

interface Building {
  readonly lookup: Lookup;
  readonly problems: Problems;
}

function treeOf(value: unknown, key: Place, places: ModulePlaces, building: Building): Tree {
  const place = places.value(value, key);
  const base = { value: undefined, location: place.location, keyLocation: key.location };
  if (Array.isArray(value)) {
    const items = value.map((item, index) => [String(index), treeOf(item, key, places, building)] as const);
    return { ...base, kind: 'list', children: new Map(items) };
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, item]) => [name, treeOf(item, places.key(name, key), places, building)] as const,
    );
    return { ...base, kind: 'mapping', children: new Map(members) };
  }
  return { ...base, ...scalarOf(value, place, building), kind: 'scalar', children: new Map() };
}

function scalarOf(value: unknown, { location, textLocation }: Place, { lookup, problems }: Building) {
  const substitution = typeof value === 'string' ? substitute(value, lookup) : undefined;
  if (substitution === undefined) return { value, ...(textLocation && { textLocation }) };
  if (substitution.error !== undefined) problems.add(location, substitution.error);
  return { value: substitution.unset.length > 0 ? undefined : substitution.text, substitution };
}

/** The module that a probe names; undefined: its type has none, or it was not found, which was reported. */
export function moduleOf(
  entry: Tree,
  { type, tree }: PluginEntry<ProbeType>,
  { modules, problems }: Reading,
): ProbeModule | undefined {
  const written = type.moduleOption === undefined ? undefined : tree.children.get(type.moduleOption);
  if (typeof written?.value !== 'string' || written.value === '') return undefined;
  const file = posix.join(dirname(entry.location.file), written.value);
  const module = modules.loaded.get(file);
  if (module === undefined && !modules.broken.has(file)) {
    const near = didYouMean(file, modules.loaded.keys());
    problems.add(written.location, `there is no module ${file}${near || '; modules stand below probes/'}`);
  }
  return module;
}
