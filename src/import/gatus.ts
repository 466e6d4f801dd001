/** The configuration of Gatus to probes. Variables of the environment are written the same way in both. */
import type { Tree } from '../config/tree.ts';
import { formatDuration, parseDuration } from '../units.ts';
import { compact, createNames, type Entry, type Imported, type Loss, type Sources } from './entry.ts';
import { translateCondition } from './gatus-conditions.ts';
import { childOf, dataAt, itemsOf, placeOf, textAt, yamlOf } from './sources.ts';

type Lost = (tree: Tree, what: string) => void;

/** What an endpoint may hold that is read here. */
const UNDERSTOOD = new Set(
  'name group enabled url method body graphql headers interval conditions alerts client dns ui'.split(' '),
);
const CLIENT_OPTIONS = new Set('insecure ignore-redirect timeout dns-resolver oauth2 proxy-url tls network'.split(' '));
const DEFAULT_EVERY_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

export function gatus({ file }: Sources): Imported {
  const losses: Loss[] = [];
  const lost: Lost = (tree, what) => losses.push({ where: placeOf(tree), what });
  const tree = withVariables(yamlOf(file));
  for (const [key, child] of tree.children) {
    if (key !== 'endpoints' && key !== 'services') lost(child, `"${key}": ${ADVICE[key] ?? 'it has no counterpart'}`);
  }
  const names = createNames();
  const endpoints = itemsOf(childOf(tree, 'endpoints') ?? childOf(tree, 'services'));
  return { entries: endpoints.flatMap((endpoint) => toEntry(endpoint, names, lost)), losses };
}

const ADVICE: Readonly<Record<string, string>> = {
  alerting: 'channels are notifiers and routes of brainstem.yml',
  'external-endpoints': 'what pushes its state is a probe of type heartbeat',
  storage: 'the store is set in brainstem.yml',
  web: 'address and port are `http.listen` of brainstem.yml',
  maintenance: 'a silence keeps alerts back for a while',
};

/** `$NAME`, `${NAME}`, `$$` for a dollar; any other beginning of a reference of ours is none of theirs. */
const REFERENCE = /\$(?:\$\{|\$|\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)|\{)/g;

/** Our references for theirs. Whoever wrote the file may name variables, as in Gatus, but no files of this machine. */
function withVariables(tree: Tree): Tree {
  const children = new Map([...tree.children].map(([key, child]) => [key, withVariables(child)]));
  if (typeof tree.value !== 'string') return { ...tree, children };
  const value = tree.value.replace(REFERENCE, (written, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    if (name !== undefined) return `\${${name}}`;
    return written === '$$' ? '$' : '$${';
  });
  return { ...tree, value, children };
}

function toEntry(endpoint: Tree, names: (text: string) => string, lost: Lost): readonly Entry[] {
  const title = textAt(endpoint, 'name') ?? 'endpoint';
  const probe = probeOf(endpoint, lost);
  if (!probe) return [];
  for (const [key, child] of endpoint.children) {
    if (!UNDERSTOOD.has(key)) lost(child, `"${key}" of ${title}`);
  }
  const group = textAt(endpoint, 'group');
  const everyMs = parseDuration(textAt(endpoint, 'interval') ?? '') ?? DEFAULT_EVERY_MS;
  const timeoutMs = parseDuration(textAt(endpoint, 'client', 'timeout') ?? '') ?? DEFAULT_TIMEOUT_MS;
  const entry = {
    name: names(group === undefined ? title : `${group}-${title}`),
    title,
    [probe.type]: probe.spec,
    every: formatDuration(everyMs),
    timeout: formatDuration(Math.min(timeoutMs, everyMs)),
    ...compact({
      expect: conditionsOf(endpoint, probe.type, lost),
      group,
      ...thresholdsOf(endpoint, lost),
      paused: textAt(endpoint, 'enabled') === 'false' ? true : undefined,
    }),
  };
  return [entry];
}

function thresholdsOf(endpoint: Tree, lost: Lost) {
  const alerts = itemsOf(childOf(endpoint, 'alerts'));
  const [first] = alerts;
  for (const alert of alerts) {
    lost(alert, `an alert of type ${textAt(alert, 'type') ?? '?'}: who hears is a route of brainstem.yml`);
  }
  const threshold = (key: string) => {
    const written = Number(textAt(first, key));
    return Number.isInteger(written) && written > 0 ? written : undefined;
  };
  return first
    ? { fail_after: threshold('failure-threshold') ?? 3, recover_after: threshold('success-threshold') ?? 2 }
    : {};
}

function conditionsOf(endpoint: Tree, type: string, lost: Lost): readonly string[] {
  // Gatus demands nothing of a status that is not named, where our own type wants 200 to 299.
  let anyStatus = type === 'http';
  const sources = itemsOf(childOf(endpoint, 'conditions')).flatMap((condition) => {
    const written = String(condition.value);
    const translated = translateCondition(written, { type });
    if ('source' in translated) {
      if (written.includes('[STATUS]')) anyStatus = false;
      return [translated.source];
    }
    if ('loss' in translated) lost(condition, `the condition ${written}: ${translated.loss}`);
    return [];
  });
  return anyStatus ? ['status > 0', ...sources] : sources;
}

interface Probe {
  readonly type: string;
  readonly spec: Record<string, unknown>;
}

function probeOf(endpoint: Tree, lost: Lost): Probe | undefined {
  const url = textAt(endpoint, 'url') ?? '';
  if (childOf(endpoint, 'dns')) return dnsProbe(endpoint, url);
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*)$/i.exec(url) ?? [];
  const build = BUILDERS[scheme.toLowerCase()];
  if (build) return build(endpoint, rest, lost);
  lost(childOf(endpoint, 'url') ?? endpoint, `${textAt(endpoint, 'name') ?? url}: ${scheme || url} is not probed yet`);
  return undefined;
}

const BUILDERS: Readonly<Record<string, (endpoint: Tree, rest: string, lost: Lost) => Probe>> = {
  http: httpProbe,
  https: httpProbe,
  tcp: (endpoint, rest) => ({ type: 'tcp', spec: { address: rest, ...familyOf(endpoint) } }),
  icmp: (endpoint, rest) => ({ type: 'icmp', spec: { host: rest, count: 1, ...familyOf(endpoint) } }),
  tls: tlsProbe,
  starttls: (endpoint, rest, lost) => ({
    type: 'tcp',
    spec: {
      address: rest,
      tls: tlsOf(endpoint, lost),
      steps: [
        { expect: '^220 ' },
        { send: 'EHLO brainstem\r\n' },
        { expect: '^250 ' },
        { send: 'STARTTLS\r\n' },
        { expect: '^220 ' },
        { starttls: true },
      ],
    },
  }),
};

function httpProbe(endpoint: Tree, _rest: string, lost: Lost): Probe {
  const graphql = textAt(endpoint, 'graphql') === 'true';
  const body = textAt(endpoint, 'body');
  const client = childOf(endpoint, 'client');
  const network = childOf(client, 'network');
  reportClient(client, lost);
  const headers = { ...(dataAt(endpoint, 'headers') as object | undefined) } as Record<string, unknown>;
  if (graphql) headers['Content-Type'] ??= 'application/json';
  if (network) lost(network, '"client.network"');
  const tls = tlsOf(endpoint, lost);
  return {
    type: 'http',
    spec: {
      url: textAt(endpoint, 'url') ?? '',
      ...compact({
        method: textAt(endpoint, 'method'),
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        body: graphql && body !== undefined ? JSON.stringify({ query: body }) : body,
        auth: oauthOf(client),
        tls,
        proxy: textAt(client, 'proxy-url'),
        resolver: resolverOf(client),
        redirects: textAt(client, 'ignore-redirect') === 'true' ? 0 : undefined,
      }),
    },
  };
}

function reportClient(client: Tree | undefined, lost: Lost): void {
  for (const [key, child] of client?.children ?? []) {
    if (!CLIENT_OPTIONS.has(key)) lost(child, `"client.${key}"`);
  }
}

function oauthOf(client: Tree | undefined): Record<string, unknown> | undefined {
  const oauth2 = childOf(client, 'oauth2');
  if (!oauth2) return undefined;
  return {
    oauth2: compact({
      token_url: textAt(oauth2, 'token-url'),
      client_id: textAt(oauth2, 'client-id'),
      client_secret: textAt(oauth2, 'client-secret'),
      scopes: dataAt(oauth2, 'scopes'),
    }),
  };
}

/** `tcp://1.1.1.1:53` */
function resolverOf(client: Tree | undefined): string | undefined {
  return textAt(client, 'dns-resolver')?.replace(/^[a-z]+:\/\//, '');
}

function tlsOf(endpoint: Tree, lost: Lost): Record<string, unknown> {
  const client = childOf(endpoint, 'client');
  const renegotiation = childOf(client, 'tls', 'renegotiation');
  if (renegotiation) lost(renegotiation, '"client.tls.renegotiation"');
  return compact({
    cert: textAt(client, 'tls', 'certificate-file'),
    key: textAt(client, 'tls', 'private-key-file'),
    insecure_skip_verify: textAt(client, 'insecure') === 'true' ? true : undefined,
  });
}

function tlsProbe(endpoint: Tree, rest: string, lost: Lost): Probe {
  const match = /^(.*):(\d+)$/.exec(rest);
  const spec = { host: match?.[1] ?? rest, ...(match && { port: Number(match[2]) }) };
  return { type: 'tls', spec: { ...spec, ...tlsOf(endpoint, lost) } };
}

function dnsProbe(endpoint: Tree, server: string): Probe {
  const name = textAt(endpoint, 'dns', 'query-name') ?? '';
  return { type: 'dns', spec: compact({ name, type: textAt(endpoint, 'dns', 'query-type'), server }) };
}

function familyOf(endpoint: Tree): Record<string, unknown> {
  const network = textAt(endpoint, 'client', 'network') ?? '';
  return /[46]$/.test(network) ? { ip_protocol: `ip${network.at(-1)}` } : {};
}
