/** Which targets are asked for with which module: from the scrape configurations of a prometheus.yml, or from a list. */
import type { Tree } from '../config/tree.ts';
import { parseDuration } from '../units.ts';
import type { Loss, SourceFile } from './entry.ts';
import { childOf, itemsOf, placeOf, textAt, yamlOf } from './sources.ts';

export interface Asked {
  readonly module: string;
  readonly target: string;
  readonly hostname?: string;
  readonly job?: string;
  readonly everyMs?: number;
  readonly timeoutMs?: number;
  readonly labels: readonly (readonly [string, string])[];
  readonly where: string;
}

const DEFAULT_MODULE = 'http_2xx';
/** Keys of a scrape configuration that say nothing about the target, or that are read here. */
const UNDERSTOOD = new Set([
  'job_name',
  'metrics_path',
  'params',
  'static_configs',
  'relabel_configs',
  'scrape_interval',
  'scrape_timeout',
  'honor_labels',
  'honor_timestamps',
  'scheme',
]);

export function listedTargets({ name, text }: SourceFile): readonly Asked[] {
  return text.split('\n').flatMap((line, index) => {
    const words = line
      .replace(/(?:^|\s)#.*/, '')
      .trim()
      .split(/\s+/);
    const [first = '', second] = words;
    if (first === '') return [];
    const where = `${name}:${index + 1}:1`;
    return [second === undefined ? ask(DEFAULT_MODULE, first, where) : ask(first, second, where)];
  });
}

function ask(module: string, target: string, where: string): Asked {
  return { module, target, labels: [], where };
}

export function scrapedTargets(file: SourceFile, losses: Loss[]): readonly Asked[] {
  const tree = yamlOf(file);
  const inherited = childOf(tree, 'global');
  return itemsOf(childOf(tree, 'scrape_configs')).flatMap((job) => {
    // Everything else that Prometheus scrapes is no business of this.
    return textAt(job, 'metrics_path')?.endsWith('/probe') ? targetsOf(job, inherited, losses) : [];
  });
}

function targetsOf(job: Tree, inherited: Tree | undefined, losses: Loss[]): readonly Asked[] {
  const name = textAt(job, 'job_name') ?? 'blackbox';
  reportUnknown(job, name, losses);
  const [module] = itemsOf(childOf(job, 'params', 'module'));
  const [hostname] = itemsOf(childOf(job, 'params', 'hostname'));
  const fixed = itemsOf(childOf(job, 'params', 'target')).map((target) => ({ target, labels: undefined }));
  const groups = itemsOf(childOf(job, 'static_configs'));
  const listed = groups.flatMap((group) =>
    itemsOf(childOf(group, 'targets')).map((target) => ({ target, labels: childOf(group, 'labels') })),
  );
  return [...fixed, ...listed].map(({ target, labels }) => ({
    module: module?.value === undefined ? DEFAULT_MODULE : String(module.value),
    target: String(target.value),
    ...(hostname && { hostname: String(hostname.value) }),
    job: name,
    ...durationOf('everyMs', 'scrape_interval', job, inherited),
    ...durationOf('timeoutMs', 'scrape_timeout', job, inherited),
    labels: [...(labels?.children ?? [])].map(([label, { value }]) => [label, String(value)] as const),
    where: placeOf(target),
  }));
}

function durationOf(key: 'everyMs' | 'timeoutMs', option: string, job: Tree, inherited: Tree | undefined) {
  const written = textAt(job, option) ?? textAt(inherited, option);
  const parsed = written === undefined ? undefined : parseDuration(written);
  return parsed === undefined || parsed === 0 ? {} : { [key]: parsed };
}

function reportUnknown(job: Tree, name: string, losses: Loss[]): void {
  const lost = (tree: Tree, what: string) => losses.push({ where: placeOf(tree), what: `job "${name}": ${what}` });
  for (const [key, child] of job.children) {
    if (key.endsWith('_sd_configs')) lost(child, `"${key}": targets that are discovered are not known here; list them`);
    else if (!UNDERSTOOD.has(key)) lost(child, `"${key}"`);
  }
  for (const [key, child] of childOf(job, 'params')?.children ?? []) {
    if (!['module', 'target', 'hostname', 'debug'].includes(key)) lost(child, `the parameter "${key}"`);
    const [, second] = itemsOf(child);
    if (second) lost(second, `the second value of the parameter "${key}"`);
  }
  for (const rule of itemsOf(childOf(job, 'relabel_configs'))) {
    if (!isUsual(rule)) lost(rule, `a rule of relabel_configs${describe(rule)}`);
  }
}

/** The three rules that every guide has: the address becomes the target, the target the instance, the exporter the address. */
function isUsual(rule: Tree): boolean {
  const sources = itemsOf(childOf(rule, 'source_labels')).map(({ value }) => String(value));
  const target = textAt(rule, 'target_label');
  const isPlain = ['regex', 'modulus', 'action', 'separator'].every((key) => {
    const written = textAt(rule, key);
    return (
      written === undefined || (key === 'action' && written === 'replace') || (key === 'regex' && written === '(.*)')
    );
  });
  if (!isPlain) return false;
  if (sources.length === 0) return target === '__address__';
  const replacement = textAt(rule, 'replacement');
  if (replacement !== undefined && !/^\$(?:1|\{1\})$/.test(replacement)) return false;
  return (
    (sources.join() === '__address__' && target === '__param_target') ||
    (['__param_target', '__address__'].includes(sources.join()) && target === 'instance')
  );
}

function describe(rule: Tree): string {
  const target = textAt(rule, 'target_label');
  return target === undefined ? '' : ` that sets "${target}"`;
}
