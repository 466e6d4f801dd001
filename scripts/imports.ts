/**
 * Who may import whom (docs/architecture.md): no import runs back up the house, and no circle exists.
 */
import { dirname, join } from 'node:path';
import { Visitor } from 'rolldown/utils';
import { readSources, type Source } from './sources.ts';

/** Files that every room may use: the vocabulary, the seams and a few leaves that import nothing else. */
const LEAVES = [
  'model',
  'ports',
  'errors',
  'units',
  'spec',
  'failpoint',
  'redact',
  'nearest',
  'own',
  'words',
  'html',
  'library',
];

/** Room → the rooms it may import besides the leaves and itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: ['cli'],
  cli: ['app', 'config', 'engine', 'import', 'log', 'registries', 'runtime', 'server', 'store'],
  import: ['blackbox', 'config'],
  app: ['config', 'log', 'metrics', 'papertrail', 'registries', 'runtime', 'server', 'store'],
  registries: ['action-types', 'notifiers', 'probe-types'],
  runtime: ['engine', 'shared'],
  blackbox: ['shared'],
  config: ['blackbox', 'engine/condition', 'shared'],
  engine: [],
  'probe-types': ['shared'],
  'action-types': ['shared'],
  notifiers: ['shared'],
  shared: [],
  store: [],
  metrics: [],
  papertrail: [],
  server: [],
  log: [],
  dashboards: [],
};

/** In these rooms each file of the registry is a plug-in, which must not know another one. */
const PLUGIN_ROOMS = ['probe-types', 'action-types', 'notifiers'];

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly line: number;
}

export function importProblems(repository = '.'): readonly string[] {
  const sources = readSources(repository);
  const edges = sources.flatMap(edgesOf);
  return [
    ...edges.flatMap(directionProblem),
    ...edges.flatMap((edge) => pluginProblem(edge, pluginFiles(sources))),
    ...circles(edges),
  ];
}

function edgesOf({ path, text, program }: Source): Edge[] {
  const edges: Edge[] = [];
  const add = (node: { source: { type: string; value?: unknown; start: number } | null }) => {
    const target = node.source?.value;
    if (typeof target !== 'string' || !target.startsWith('.')) return;
    const line = text.slice(0, node.source?.start).split('\n').length;
    edges.push({ from: path, to: join(dirname(path), target), line });
  };
  new Visitor({
    ImportDeclaration: add,
    ExportNamedDeclaration: add,
    ExportAllDeclaration: add,
    ImportExpression: (node) => add(node as never),
  }).visit(program);
  return edges;
}

/** `src/engine/plan.ts` → `engine`; `src/app.ts` → `app`. */
function roomOf(path: string): string {
  const [, first = ''] = path.split('/');
  return first.replace(/\.ts$/, '');
}

function directionProblem({ from, to, line }: Edge): string[] {
  const [room, target] = [roomOf(from), roomOf(to)];
  if (room === target || LEAVES.includes(target)) return [];
  const allowed = LEAVES.includes(room) ? [] : (ALLOWED[room] ?? []);
  const path = to.replace(/^src\//, '').replace(/\.ts$/, '');
  if (allowed.some((entry) => entry === target || path === entry || path.startsWith(`${entry}-`))) return [];
  return [
    `${from}:${line}: ${room} must not import ${target} (${to}); it may import: ${[...LEAVES, ...allowed].join(', ')}`,
  ];
}

/** What the literal map of a plug-in room imports. */
function pluginFiles(sources: readonly Source[]): ReadonlySet<string> {
  const maps = sources.filter(({ path }) => PLUGIN_ROOMS.some((room) => path === `src/${room}/index.ts`));
  return new Set(maps.flatMap(edgesOf).map(({ to }) => to));
}

function pluginProblem({ from, to, line }: Edge, plugins: ReadonlySet<string>): string[] {
  if (from.endsWith('/index.ts') || !plugins.has(to) || !PLUGIN_ROOMS.includes(roomOf(to))) return [];
  return [
    `${from}:${line}: plug-ins do not know one another: ${to} is one; move what is shared into a helper beside them`,
  ];
}

function circles(edges: readonly Edge[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    const at = path.indexOf(file);
    if (at !== -1) found.push(`circle: ${[...path.slice(at), file].join(' → ')}`);
    if (at !== -1 || done.has(file)) return;
    for (const to of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}
