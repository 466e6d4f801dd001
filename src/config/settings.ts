/** brainstem.yml to settings, notifiers and routes. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { NotifierDefinition, Route, Settings } from '../model.ts';
import { checkKeys } from './check.ts';
import { type BrainstemKeys, brainstemSchema, notifierSchema } from './file-schemas.ts';
import { commonPart, readPlugin } from './plugin-entry.ts';
import type { Problems } from './problems.ts';
import type { Reading } from './reading.ts';
import { filterKeys, isEmpty, nearestTree, scalars, type Tree, treeAt, unsetNames, withoutPath } from './tree.ts';

const PAPERTRAIL = ['log', 'papertrail'];
const NOTIFIER_KEYS = Object.keys(notifierSchema.shape);

export interface ReadSettings {
  readonly settings: Settings;
  readonly defaults: BrainstemKeys['defaults'];
  readonly notifiers: readonly NotifierDefinition[];
  readonly routes: readonly Route[];
}

/** An absent or empty file gives the defaults; so does an invalid one, after its problems were added. */
export function readSettings(file: Tree | undefined, home: string, reading: Reading): ReadSettings {
  const { problems, secrets } = reading;
  const tree = file === undefined ? undefined : withoutUnsetPapertrail(withoutEmptyKeys(file));
  if (tree !== undefined) reportUnset(tree, problems);
  const keys =
    (tree && checkKeys(brainstemSchema, tree, { whole: 'this file', problems })) ?? brainstemSchema.parse({});
  if (tree !== undefined) secrets.addSpec(brainstemSchema, tree);
  return {
    settings: settingsOf(keys, tree, home, problems),
    defaults: keys.defaults,
    notifiers: readNotifiers(tree?.children.get('notifiers'), reading),
    routes: (keys.routes ?? []).map(routeOf),
  };
}

/** `http:` with nothing behind it is as good as absent, and so is `level:` within `log:`. */
function withoutEmptyKeys(tree: Tree): Tree {
  const children = new Map<string, Tree>();
  for (const [key, child] of tree.children) {
    if (!isEmpty(child))
      children.set(key, child.kind === 'mapping' ? filterKeys(child, (_, value) => !isEmpty(value)) : child);
  }
  return tree.kind === 'mapping' ? { ...tree, children } : tree;
}

/** As long as a variable of it is not set, the log is not shipped. */
function withoutUnsetPapertrail(tree: Tree): Tree {
  return unsetNames(treeAt(tree, PAPERTRAIL)).length > 0 ? withoutPath(tree, PAPERTRAIL) : tree;
}

/** What may wait for its variables, besides Papertrail; the daemon itself needs its settings. */
const MAY_WAIT = new Set(['notifiers', 'watchdog']);

function reportUnset(tree: Tree, problems: Problems): void {
  for (const [key, section] of tree.children) {
    if (MAY_WAIT.has(key)) continue;
    for (const scalar of scalars(section)) {
      const [name] = scalar.substitution?.unset ?? [];
      if (name === undefined) continue;
      const advice = `set it, or give it a default: \${${name}:-…}`;
      problems.add(scalar.location, `${name} is not set; ${advice}`);
    }
  }
}

function settingsOf(keys: BrainstemKeys, tree: Tree | undefined, home: string, problems: Problems): Settings {
  const listen = parseListen(keys.http.listen) ?? { host: '127.0.0.1', port: 9911 };
  if (tree !== undefined) {
    checkListen(keys, tree, problems);
    checkCluster(keys, tree, problems);
  }
  return {
    home,
    http: {
      ...listen,
      publicUrl: (keys.http.public_url ?? localUrl(listen)).replace(/\/+$/, ''),
      ...(keys.http.token !== undefined && { token: keys.http.token }),
    },
    store: { ...(keys.store.url !== undefined && { url: keys.store.url }) },
    cluster: keys.cluster,
    log: logOf(keys.log),
    healing: {
      mode: keys.healing.mode,
      budget: keys.healing.budget,
      freezeFile: resolve(home, keys.healing.freeze_file),
      vantage: keys.healing.vantage,
    },
    alerts: keys.alerts,
    history: { resultsMs: keys.history.results, maxBytes: keys.history.max_bytes },
    ...(keys.watchdog?.url !== undefined && { watchdog: { url: keys.watchdog.url, everyMs: keys.watchdog.every } }),
  };
}

function logOf({ level, papertrail }: BrainstemKeys['log']): Settings['log'] {
  if (papertrail === undefined) return { level };
  const { ca, hostname, ...rest } = papertrail;
  return {
    level,
    papertrail: { ...rest, ...(ca !== undefined && { ca }), ...(hostname !== undefined && { hostname }) },
  };
}

function checkListen({ http }: BrainstemKeys, tree: Tree, problems: Problems): void {
  const { location } = nearestTree(tree, ['http', 'listen']);
  const listen = parseListen(http.listen);
  if (listen === undefined) {
    problems.add(location, '"listen" must be an address and a port such as 127.0.0.1:9911 or [::1]:9911');
  } else if (!isLoopback(listen.host) && http.token === undefined) {
    problems.add(location, `listening on ${listen.host} needs http.token: anyone who reaches it could act`);
  }
}

function checkCluster({ cluster, store }: BrainstemKeys, tree: Tree, problems: Problems): void {
  if (!cluster || store.url !== undefined) return;
  const { location } = nearestTree(tree, ['cluster']);
  problems.add(location, '"cluster" needs a PostgreSQL that all daemons share: set store.url, or remove it');
}

/** `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for every address. */
function parseListen(listen: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:\s]*)):(?<port>\d{1,5})$/.exec(listen)?.groups;
  if (match === undefined) return undefined;
  const port = Number(match['port']);
  const host = match['v6'] ?? (match['host'] || '0.0.0.0');
  const isValid = match['v6'] === undefined ? isHost(host) : isIP(host) === 6;
  return isValid && port <= 65_535 ? { host, port } : undefined;
}

function isHost(host: string): boolean {
  return isIP(host) === 4 || (/^[a-zA-Z0-9.-]+$/.test(host) && !/^[\d.]+$/.test(host));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Where a person on this machine reaches it. */
function localUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function readNotifiers(tree: Tree | undefined, reading: Reading): readonly NotifierDefinition[] {
  if (tree?.kind !== 'mapping') return [];
  return [...tree.children].flatMap(([name, entry]) => {
    reading.names.notifiers.set(name, entry.keyLocation);
    return entry.kind === 'mapping' ? (readNotifier(name, entry, reading) ?? []) : [];
  });
}

function readNotifier(name: string, entry: Tree, reading: Reading): NotifierDefinition | undefined {
  const { problems, secrets, registries } = reading;
  const options = { kind: 'notifier', types: registries.notifierTypes, commonKeys: NOTIFIER_KEYS, problems, secrets };
  const plugin = readPlugin(entry, options);
  const keys = checkKeys(notifierSchema, commonPart(entry, options), { whole: `"${name}"`, problems });
  if (keys === undefined) return undefined;
  return {
    name,
    type: plugin?.type.name ?? '',
    spec: plugin?.spec,
    ...(keys.fallback !== undefined && { fallback: keys.fallback }),
    burst: keys.burst,
    timeoutMs: keys.timeout,
    unset: unsetNames(entry),
    location: entry.keyLocation,
  };
}

function routeOf(keys: NonNullable<BrainstemKeys['routes']>[number]): Route {
  return {
    match: definedOnly(keys.match ?? {}),
    notify: keys.notify,
    ...(keys.repeat !== undefined && { repeatMs: keys.repeat }),
    continue: keys.continue,
  };
}

/** Without keys whose value is undefined. */
function definedOnly(match: NonNullable<NonNullable<BrainstemKeys['routes']>[number]['match']>): Route['match'] {
  return Object.fromEntries(Object.entries(match).filter(([, value]) => value !== undefined));
}
