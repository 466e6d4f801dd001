/** blackbox.yml, in blackbox_exporter's own format, to modules that can be asked for. Nothing in it is substituted. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { DEFAULT_MODULES, moduleSchema, type ProberName, proberOf, probers } from '../blackbox/index.ts';
import type { Check, FileReader, Prober, Translation } from '../blackbox/prober.ts';
import { ConditionError, compileCondition } from '../engine/condition.ts';
import type { BlackboxModule, Condition, SourceLocation } from '../model.ts';
import type { ProbeType } from '../ports.ts';
import { check } from './check.ts';
import { readText } from './files.ts';
import type { Problems } from './problems.ts';
import type { Reading } from './reading.ts';
import { isSecretAt } from './schema-walk.ts';
import { isEmpty, nearestTree, type Path, plainValue, type Tree } from './tree.ts';
import { parseYaml } from './yaml.ts';

const FILE = 'blackbox.yml';
/** Options that name a file whose content is the value. */
const CONTENT_OPTIONS = /^(?:body|password|credentials|bearer_token|client_secret)_file$/;

const SECRET_FILE = /^(?:password|credentials|bearer_token|client_secret|key)_file$/;
const SECRET_HEADER = /authorization|cookie|token|secret|password|api-?key/i;

const PATH_OPTIONS = new Set(['ca_file', 'cert_file', 'key_file']);

/** Each value, as text or as JSON writes it: a secret that is folded or indented would not be found in it. */
const ON_ONE_LINE = { lineWidth: 0, blockQuote: false, singleQuote: false, doubleQuotedMinMultiLineLength: Infinity };

/** The file as it stands, and what stands in the files that it names. */
export interface BlackboxFile {
  readonly home: string;
  /** undefined: it holds nothing, or what is wrong with it was reported. */
  readonly tree: Tree | undefined;
  readonly contents: ReadonlyMap<string, string>;
}

/** Without the file, the modules that the exporter ships. */
export async function readBlackbox(home: string, problems: Problems): Promise<BlackboxFile> {
  const before = problems.count;
  const text = await readText(home, FILE, problems);
  const isMissing = text === undefined && problems.count === before;
  const tree = parseYaml(FILE, isMissing ? DEFAULT_MODULES : (text ?? ''), undefined, problems);
  for (const { value, location } of tree ? pathTrees(tree) : []) {
    if (typeof value === 'string' && !existsSync(resolve(home, value)))
      problems.add(location, `there is no file ${value}`);
  }
  const contents = new Map<string, string>();
  for (const { file, location } of tree ? contentFiles(tree) : []) {
    contents.set(file, await readContent(home, file, location, problems));
  }
  return { home, tree, contents };
}

/** Empty when it cannot be read, which is reported. */
async function readContent(home: string, file: string, location: SourceLocation, problems: Problems): Promise<string> {
  const before = problems.count;
  const text = await readText('/', resolve(home, file), problems);
  if (text === undefined && problems.count === before) problems.add(location, `there is no file ${file}`);
  return text ?? '';
}

/** Where files are named that are read at each run, when they have changed. */
function pathTrees(tree: Tree): readonly Tree[] {
  return [...tree.children].flatMap(([key, child]) => (PATH_OPTIONS.has(key) ? [child] : pathTrees(child)));
}

interface ContentFile {
  readonly file: string;
  readonly isSecret: boolean;
  readonly location: SourceLocation;
}

function contentFiles(tree: Tree): readonly ContentFile[] {
  return [...tree.children].flatMap(([key, child]) => {
    if (!CONTENT_OPTIONS.test(key)) return contentFiles(child);
    const { value, location } = child;
    return typeof value === 'string' ? [{ file: value, isSecret: key !== 'body_file', location }] : [];
  });
}

export function readModules(file: BlackboxFile, reading: Reading): ReadonlyMap<string, BlackboxModule> {
  const { home, tree, contents } = file;
  const files: FileReader = {
    path: (name) => resolve(home, name),
    text: (name) => contents.get(name) ?? '',
    secret: (name) => (contents.get(name) ?? '').trim(),
  };
  const modules = new Map<string, BlackboxModule>();
  if (tree === undefined) return modules;
  reading.secrets.addTree(tree);
  for (const { file: name, isSecret, location } of contentFiles(tree)) {
    if (isSecret) reading.secrets.addText(files.secret(name), location);
  }
  for (const [name, entry] of moduleTrees(tree, reading.problems)) {
    const module = readModule(name, entry, files, reading);
    if (module) modules.set(name, module);
  }
  return modules;
}

function moduleTrees(tree: Tree, problems: Problems): readonly (readonly [string, Tree])[] {
  const modules = tree.children.get('modules');
  const isMapping = ({ kind }: Tree) => kind === 'mapping';
  if (!isMapping(tree) || (modules && !isMapping(modules) && !isEmpty(modules))) {
    const { location } = modules ?? tree;
    problems.add(location, 'this file must be a mapping with "modules", a mapping of modules by name');
    return [];
  }
  for (const [key, child] of tree.children) {
    if (key !== 'modules') problems.add(child.keyLocation, `unknown key "${key}"; this file holds "modules"`);
  }
  return [...(modules?.children ?? [])];
}

function readModule(name: string, entry: Tree, files: FileReader, reading: Reading): BlackboxModule | undefined {
  const { problems, secrets, registries } = reading;
  const translated = translateModule(name, entry, files, problems);
  if (!translated) return undefined;
  const { prober, section, timeoutMs, translation } = translated;
  secrets.addSpec(prober.options, section);
  const type = registries.probeTypes[prober.type];
  if (type === undefined) throw new TypeError(`there is no probe type ${prober.type}`);
  const { checks, specFor, adjust } = translation;
  const compiled = checks.map((one) => compileCheck(one, type, section, problems));
  reportSpec(specFor(prober.sample, undefined), type, section, problems);
  return {
    name,
    type: prober.type,
    ...(timeoutMs !== undefined && { timeoutMs }),
    checks: compiled.filter((one) => one !== undefined),
    specFor,
    adjust: adjust ?? ((fields) => fields),
    text: stringify(plainValue(entry), ON_ONE_LINE),
    hasCredentials: hasCredentials(prober.options, section),
    location: entry.keyLocation,
  };
}

export interface TranslatedModule {
  readonly prober: Prober;
  /** Where the options of the prober stand. */
  readonly section: Tree;
  readonly timeoutMs: number | undefined;
  readonly translation: Translation;
}

/** undefined: it cannot be understood; problems were added. */
export function translateModule(
  name: string,
  entry: Tree,
  files: FileReader,
  problems: Problems,
): TranslatedModule | undefined {
  const head = check(moduleSchema, entry, { whole: `the module "${name}"`, problems });
  if (head.kind !== 'valid') return undefined;
  const { prober: proberName, timeout: timeoutMs } = head.value;
  reportOtherSections(entry, proberName, problems);
  const prober = proberOf(proberName);
  const section = sectionOf(entry, proberName);
  const given = check(prober.options, section, { whole: `"${proberName}"`, problems });
  if (given.kind !== 'valid') return undefined;
  return { prober, section, timeoutMs, translation: prober.translate(given.value, files) };
}

/** Whether something in it is a secret, by its schema or by its name. */
function hasCredentials(options: Prober['options'], tree: Tree, path: Path = []): boolean {
  if (tree.kind === 'scalar') return !isEmpty(tree) && tree.value !== '' && isCredential(options, path);
  return [...tree.children].some(([key, child]) => hasCredentials(options, child, [...path, key]));
}

function isCredential(options: Prober['options'], path: Path): boolean {
  const name = String(path.at(-1));
  return isSecretAt(options, path) || SECRET_FILE.test(name) || (path[0] === 'headers' && SECRET_HEADER.test(name));
}

/** The exporter passes over sections of other probers; whoever wrote one meant something by it. */
function reportOtherSections(entry: Tree, prober: ProberName, problems: Problems): void {
  for (const [key, { keyLocation }] of entry.children) {
    if (key === prober || !Object.hasOwn(probers, key)) continue;
    problems.add(keyLocation, `"${key}" has no effect on a module whose prober is ${prober}; remove it`);
  }
}

function sectionOf(entry: Tree, prober: ProberName): Tree {
  const written = entry.children.get(prober);
  if (written && !isEmpty(written)) return written;
  return { ...(written ?? entry), kind: 'mapping', value: undefined, children: new Map() };
}

function compileCheck(
  { source, cause, option }: Check,
  { fields }: ProbeType,
  section: Tree,
  problems: Problems,
): { readonly condition: Condition; readonly cause: Check['cause'] } | undefined {
  const { location } = nearestTree(section, option);
  try {
    return { condition: compileCondition(source, { fields, everyMs: undefined, windows: false, location }), cause };
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    problems.add(location, `"${option[0]}" cannot be used: ${error.message}`);
    return undefined;
  }
}

/** What our type does not take of a module, whatever the target is. */
function reportSpec(
  made: ReturnType<BlackboxModule['specFor']>,
  { spec }: ProbeType,
  section: Tree,
  problems: Problems,
) {
  const parsed = 'spec' in made ? spec.safeParse(made.spec) : undefined;
  for (const { path, message } of parsed?.error?.issues ?? []) {
    problems.add(
      section.location,
      `this cannot be probed with: ${[path.map(String).join('.'), message].filter(Boolean).join(' ')}`,
    );
  }
}
