/** A home to a complete, valid configuration: all or nothing, and every error at once. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigurationError } from '../errors.ts';
import type { BlackboxModule, Configuration, Problem, Settings } from '../model.ts';
import type { Registries } from '../ports.ts';
import { createRedactor } from '../redact.ts';
import { readBlackbox, readModules } from './blackbox.ts';
import { createLookup, type Environment, readEnvironment } from './environment.ts';
import { type HomeFiles, listHome, readText } from './files.ts';
import { MANIFEST, readManifest } from './manifest.ts';
import { loadModules, NO_MODULES } from './modules.ts';
import { readProbes } from './probes.ts';
import { Problems } from './problems.ts';
import type { Modules, Reading } from './reading.ts';
import { checkReferences, type Definitions } from './references.ts';
import { readRemediations } from './remediations.ts';
import { revisionOf } from './revision.ts';
import { Secrets } from './secrets.ts';
import { type ReadSettings, readSettings } from './settings.ts';
import { spellOut } from './spell-out.ts';
import { referencedFiles } from './substitute.ts';
import type { Tree } from './tree.ts';
import { doubts, refusedModules } from './warnings.ts';
import { parseYaml } from './yaml.ts';

const BRAINSTEM = 'brainstem.yml';

export interface LoadOptions {
  readonly registries: Registries;
  /** Variables of the process; those of `<home>/.env` stand behind them. */
  readonly environment: Environment;
}

/** Errors: ConfigurationError with every problem, sorted by file and line. */
export async function loadConfiguration(home: string, options: LoadOptions): Promise<Configuration> {
  const root = resolve(home);
  const problems = new Problems();
  await checkHome(root, problems);
  const files = await listHome(root, problems);
  const { trees, modules, variables, hasManifest, complete } = await readTrees(root, files, options, problems);
  const fresh = newReading(options.registries, problems, modules);
  for (const tree of trees.values()) fresh.secrets.addTree(tree);
  const manifest = hasManifest ? readManifest(trees.get(MANIFEST), variables, fresh) : 'none';
  const reading: Reading = { ...fresh, manifest };
  const settings = readSettings(trees.get(BRAINSTEM), root, reading);
  const definitions = readDefinitions(files, trees, settings, reading);
  const blackbox = readModules(await readBlackbox(root, problems), reading);
  if (complete) checkReferences(definitions, reading);
  if (problems.count > 0) throw new ConfigurationError(withoutSecrets(problems.sorted(), reading.secrets.values));
  return compose(settings, spellOut(definitions, reading.families), blackbox, reading);
}

/** The address and token of a home's daemon, also when other files of the home are broken. Errors: ConfigurationError. */
export async function loadSettings(home: string, options: LoadOptions): Promise<Settings> {
  const root = resolve(home);
  const problems = new Problems();
  const { trees } = await readTrees(root, NO_FILES, options, problems);
  const { settings } = readSettings(trees.get(BRAINSTEM), root, newReading(options.registries, problems));
  if (problems.count > 0) throw new ConfigurationError(problems.sorted());
  return settings;
}

/** A message quotes what was written; a secret that landed in the wrong place is not for logs and pages either. */
function withoutSecrets(problems: readonly Problem[], secrets: readonly string[]): readonly Problem[] {
  const { use, redact } = createRedactor();
  use(secrets);
  return problems.map(({ location, message }) => ({ location, message: redact(message) }));
}

function newReading(registries: Registries, problems: Problems, modules = NO_MODULES): Reading {
  const names = { probes: new Map(), remediations: new Map(), notifiers: new Map() };
  const counted = { tally: { probes: 0, values: 0 }, families: new Map() };
  return { registries, problems, secrets: new Secrets(), modules, manifest: 'none', names, ...counted };
}

async function checkHome(home: string, problems: Problems): Promise<void> {
  const isFolder = await stat(home).then(
    (target) => target.isDirectory(),
    () => false,
  );
  if (!isFolder) problems.add({ file: home, line: 1, column: 1 }, 'there is no such folder');
}

const NO_FILES: HomeFiles = { probes: [], remediations: [], modules: [], parts: [] };

interface Trees {
  readonly trees: ReadonlyMap<string, Tree>;
  readonly modules: Modules;
  readonly variables: Environment;
  readonly hasManifest: boolean;
  /** False: a file could not be read at all, so that what it defines seems to be missing. */
  readonly complete: boolean;
}

/** brainstem.yml, the manifest and all definitions; what a module defines is a tree as well. */
async function readTrees(
  home: string,
  files: HomeFiles,
  { environment }: LoadOptions,
  problems: Problems,
): Promise<Trees> {
  const texts = await readTexts(home, [BRAINSTEM, MANIFEST, ...files.probes, ...files.remediations], problems);
  const modules = await readTexts(home, files.modules, problems);
  const variables = await readEnvironment(home, environment, problems);
  const secretFiles = new Set([...texts.values(), ...modules.values()].flatMap(referencedFiles));
  const lookup = await createLookup(home, variables, secretFiles, problems);
  const trees = new Map<string, Tree>();
  let complete = problems.count === 0;
  for (const [file, text] of texts) {
    const before = problems.count;
    const tree = parseYaml(file, text, lookup, problems);
    if (tree !== undefined) trees.set(file, tree);
    else complete &&= problems.count === before;
  }
  const read = { trees, variables, hasManifest: texts.has(MANIFEST) };
  if (modules.size === 0) return { ...read, modules: NO_MODULES, complete };
  const code = await loadModules(modules, { root: home, files, environment, lookup, problems });
  for (const [file, tree] of code.trees) trees.set(file, tree);
  return { ...read, modules: code.modules, complete: complete && code.modules.broken.size === 0 };
}

async function readTexts(
  home: string,
  files: readonly string[],
  problems: Problems,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const file of files) {
    const text = await readText(home, file, problems);
    if (text !== undefined) texts.set(file, text);
  }
  return texts;
}

function readDefinitions(
  files: HomeFiles,
  trees: ReadonlyMap<string, Tree>,
  { settings, notifiers, routes, defaults }: ReadSettings,
  reading: Reading,
): Definitions {
  const existing = (paths: readonly string[]) => paths.flatMap((path) => trees.get(path) ?? []);
  const probes = existing([...files.probes, ...files.modules]).flatMap((tree) => readProbes(tree, defaults, reading));
  return {
    probes,
    remediations: existing(files.remediations).flatMap((tree) => readRemediations(tree, reading)),
    notifiers,
    routes,
    vantage: settings.healing.vantage,
    brainstem: trees.get(BRAINSTEM),
  };
}

function compose(
  read: ReadSettings,
  definitions: Definitions,
  modules: ReadonlyMap<string, BlackboxModule>,
  reading: Reading,
): Configuration {
  const probes = definitions.probes.map(({ probe }) => probe);
  const remediations = definitions.remediations.map(({ remediation }) => remediation);
  const { notifiers } = read;
  const { routes, vantage } = definitions;
  const settings: Settings = { ...read.settings, healing: { ...read.settings.healing, vantage } };
  const written = [...modules.values()].map(({ name, text }) => [name, text]);
  const warnings = new Problems();
  for (const { location, message } of [
    ...reading.secrets.warnings,
    ...doubts(definitions, reading.modules, settings),
    ...refusedModules(modules.values(), settings),
  ]) {
    warnings.add(location, message);
  }
  return {
    settings,
    probes: byName(probes),
    remediations: byName(remediations),
    notifiers: byName(notifiers),
    routes,
    modules,
    secrets: reading.secrets.values,
    warnings: warnings.sorted() satisfies readonly Problem[],
    revision: revisionOf([settings, probes.map(({ revision }) => revision), remediations, notifiers, routes, written]),
  };
}

function byName<Item extends { readonly name: string }>(items: readonly Item[]): ReadonlyMap<string, Item> {
  return new Map(items.map((item) => [item.name, item]));
}
