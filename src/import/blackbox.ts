/** blackbox.yml, and the targets that a prometheus.yml or a list names, to probes. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { FileReader } from '../blackbox/prober.ts';
import { type TranslatedModule, translateModule } from '../config/blackbox.ts';
import { Problems } from '../config/problems.ts';
import type { Tree } from '../config/tree.ts';
import { formatProblem } from '../errors.ts';
import { formatDuration } from '../units.ts';
import {
  compact,
  createNames,
  type Entry,
  type Imported,
  type Loss,
  labelsOf,
  literal,
  type Sources,
} from './entry.ts';
import { type Asked, listedTargets, scrapedTargets } from './prometheus-targets.ts';
import { childOf, yamlOf } from './sources.ts';

/** What our own type expects without being told. */
const IMPLIED = 'status >= 200 && status < 300';
const DEFAULT_EVERY_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

export function blackbox({ file, prometheus, targets }: Sources): Imported {
  const losses: Loss[] = [];
  const { modules, files } = readModules(yamlOf(file), file.folder, losses);
  const asked = [...(prometheus ? scrapedTargets(prometheus, losses) : []), ...(targets ? listedTargets(targets) : [])];
  const used = new Set(asked.map(({ module }) => module));
  for (const name of modules.keys()) {
    if (!used.has(name)) losses.push({ where: `${file.name}: module "${name}"`, what: 'no target asks for it' });
  }
  const names = createNames();
  const entries = asked.flatMap((one) => {
    const module = modules.get(one.module);
    if (module) return toEntry(module, one, files, names, losses);
    losses.push({ where: one.where, what: `${one.target}: there is no usable module "${one.module}"` });
    return [];
  });
  return { entries, losses };
}

/** Content of files stays in them: it is written as `${file:…}`. */
interface ImportFiles extends FileReader {
  /** Puts the references back, after all else was made literal. */
  refer(value: unknown): unknown;
}

function importFiles(folder: string): ImportFiles {
  // No file can hold it.
  const id = randomUUID();
  const marked = new RegExp(`${id}(.*?)${id}`, 'g');
  const mark = (name: string) => `${id}${resolve(folder, name)}${id}`;
  const files: ImportFiles = {
    path: (name) => resolve(folder, name),
    text: mark,
    secret: mark,
    refer(value) {
      if (typeof value === 'string') return value.replace(marked, '${file:$1}');
      if (Array.isArray(value)) return value.map(files.refer);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, files.refer(child)]));
    },
  };
  return files;
}

function readModules(tree: Tree, folder: string, losses: Loss[]) {
  const files = importFiles(folder);
  const modules = new Map<string, TranslatedModule>();
  for (const [name, entry] of childOf(tree, 'modules')?.children ?? []) {
    const problems = new Problems();
    const module = translateModule(name, entry, files, problems);
    if (module) modules.set(name, module);
    for (const problem of problems.sorted()) {
      losses.push({ where: `module "${name}"`, what: formatProblem(problem) });
    }
  }
  return { modules, files };
}

function toEntry(
  { prober, translation, timeoutMs }: TranslatedModule,
  asked: Asked,
  files: ImportFiles,
  names: (text: string) => string,
  losses: Loss[],
): readonly Entry[] {
  const made = translation.specFor(asked.target, asked.hostname);
  if ('fault' in made) {
    losses.push({ where: asked.where, what: `${asked.target}: ${made.fault}` });
    return [];
  }
  const everyMs = asked.everyMs ?? DEFAULT_EVERY_MS;
  const waits = [asked.timeoutMs ?? DEFAULT_TIMEOUT_MS, everyMs, ...(timeoutMs === undefined ? [] : [timeoutMs])];
  const checks = translation.checks.map(({ source }) => source).filter((source) => source !== IMPLIED);
  const entry = {
    name: names(asked.job === undefined ? asked.target : `${asked.job}-${asked.target}`),
    [prober.type]: files.refer(literal(tidy(made.spec as Record<string, unknown>, checks))),
    every: formatDuration(everyMs),
    timeout: formatDuration(Math.min(...waits)),
    ...compact({
      expect: literal(checks),
      group: asked.job,
      labels: literal(labelsOf(asked.labels, (what) => losses.push({ where: asked.where, what }))),
    }),
  };
  return [entry];
}

/** Conditions that are about the whole body, of which a probe of ours reads 1 MiB when it is not told. */
const WHOLE_BODY = /\b(?:body_truncated|json)\b/;

/** Without what a probe of ours does as well, or better, when it is not told. */
function tidy(spec: Record<string, unknown>, checks: readonly string[]): Record<string, unknown> {
  const unneeded: Record<string, unknown> = {
    method: 'GET',
    redirects: 10,
    ...(!checks.some((source) => WHOLE_BODY.test(source)) && { max_body: 64 * 2 ** 20 }),
    encoding: 'identity',
    transport: 'udp',
    recursion: true,
  };
  return compact(Object.fromEntries(Object.entries(spec).filter(([name, value]) => unneeded[name] !== value)));
}
