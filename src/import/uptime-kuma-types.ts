/** What each type of monitor of Uptime Kuma is here. */
import { own } from '../own.ts';
import { compact } from './entry.ts';

export interface Monitor {
  readonly id: unknown;
  readonly name: string;
  readonly type: string;
  readonly [option: string]: unknown;
}

interface Backup {
  readonly monitorList: readonly Monitor[];
  readonly [section: string]: unknown;
}

export interface Probe {
  readonly type: string;
  readonly spec: Record<string, unknown>;
  readonly expect?: readonly string[];
  readonly warn?: readonly string[];
}

type Lost = (what: string) => void;

/** undefined: it is no backup. */
export function checkKuma(data: unknown): Backup | undefined {
  if (typeof data !== 'object' || data === null || !('monitorList' in data)) return undefined;
  const { monitorList } = data;
  if (!Array.isArray(monitorList) || !monitorList.every(isMonitor)) return undefined;
  return data as Backup;
}

function isMonitor(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return 'name' in value && typeof value.name === 'string' && 'type' in value && typeof value.type === 'string';
}

/** undefined: there is none, which was said. */
export function probeOf(monitor: Monitor, lost: Lost): Probe | undefined {
  const build = own(BUILDERS, monitor.type);
  if (build) return build(monitor, lost);
  lost(`monitors of type ${monitor.type} have no counterpart yet`);
  return undefined;
}

const BUILDERS: Readonly<Record<string, (monitor: Monitor, lost: Lost) => Probe>> = {
  http: (monitor, lost) => httpProbe(monitor, [], lost),
  keyword: (monitor, lost) => httpProbe(monitor, [keywordCondition(monitor)], lost),
  'json-query': (monitor, lost) => httpProbe(monitor, jsonCondition(monitor, lost), lost),
  port: (monitor) => ({ type: 'tcp', spec: { host: text(monitor, 'hostname'), port: Number(monitor['port']) } }),
  ping: (monitor) => {
    const size = Number(monitor['packetSize'] ?? 56);
    return { type: 'icmp', spec: { host: text(monitor, 'hostname'), count: 1, ...(size !== 56 && { size }) } };
  },
  dns: dnsProbe,
  push: (monitor) => ({
    type: 'heartbeat',
    spec: { key: text(monitor, 'pushToken'), period: `${Number(monitor['interval'] ?? 60)}s`, grace: '1m' },
  }),
  docker: (monitor, lost) => {
    if (monitor['docker_host']) lost('its Docker host: write `socket` unless it is the usual one');
    return { type: 'docker', spec: { container: text(monitor, 'docker_container') } };
  },
  postgres: (monitor, lost) => databaseProbe('postgres', monitor, lost),
  mysql: (monitor, lost) => databaseProbe('mysql', monitor, lost),
  redis: (monitor) => ({ type: 'redis', spec: { url: text(monitor, 'databaseConnectionString') } }),
};

function text(monitor: Monitor, option: string): string {
  const value = monitor[option];
  return value === undefined || value === null ? '' : String(value);
}

/** The database of Uptime Kuma knows no booleans. */
export function isOn(value: unknown): boolean {
  return value === true || value === 1;
}

function httpProbe(monitor: Monitor, conditions: readonly string[], lost: Lost): Probe {
  const redirects = Number(monitor['maxredirects'] ?? 10);
  const method = text(monitor, 'method');
  const tls = {
    ...(isOn(monitor['ignoreTls']) && { insecure_skip_verify: true }),
    ...compact({ cert: filled(monitor, 'tlsCert'), key: filled(monitor, 'tlsKey'), ca: filled(monitor, 'tlsCa') }),
  };
  const watchesExpiry = isOn(monitor['expiryNotification']) && text(monitor, 'url').startsWith('https:');
  return {
    type: 'http',
    spec: {
      url: text(monitor, 'url'),
      ...compact({
        method: method === 'GET' || method === '' ? undefined : method,
        headers: headersOf(monitor, lost),
        body: filled(monitor, 'body'),
        auth: authOf(monitor, lost),
        tls,
        redirects: redirects === 10 ? undefined : redirects,
      }),
    },
    expect: [...statusConditions(monitor), ...conditions],
    ...(watchesExpiry && { warn: ['certificate == null || certificate.expires_in_days > 14'] }),
  };
}

function filled(monitor: Monitor, option: string): string | undefined {
  return text(monitor, option) || undefined;
}

function headersOf(monitor: Monitor, lost: Lost): Record<string, string> {
  const written = text(monitor, 'headers');
  const type = { json: 'application/json', xml: 'text/xml', form: 'application/x-www-form-urlencoded' }[
    text(monitor, 'httpBodyEncoding')
  ];
  const own = text(monitor, 'body') !== '' && type !== undefined ? { 'Content-Type': type } : {};
  if (written === '') return own;
  try {
    const parsed: unknown = JSON.parse(written);
    if (typeof parsed !== 'object' || parsed === null) throw new SyntaxError('not a mapping');
    return { ...own, ...Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)])) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    lost(`its headers, which are not JSON: ${error.message}`);
    return own;
  }
}

function authOf(monitor: Monitor, lost: Lost): Record<string, unknown> | undefined {
  const method = text(monitor, 'authMethod');
  if (method === 'oauth2-cc') {
    return {
      oauth2: compact({
        token_url: text(monitor, 'oauth_token_url'),
        client_id: text(monitor, 'oauth_client_id'),
        client_secret: text(monitor, 'oauth_client_secret'),
        scopes: filled(monitor, 'oauth_scopes')?.split(/\s+/),
        credentials: text(monitor, 'oauth_auth_method') === 'client_secret_post' ? 'body' : undefined,
      }),
    };
  }
  if (method !== '' && method !== 'basic' && method !== 'mtls') lost(`authentication by ${method}`);
  const username = method === 'basic' || method === '' ? text(monitor, 'basic_auth_user') : '';
  return username === '' ? undefined : { basic: { username, password: text(monitor, 'basic_auth_pass') } };
}

/** `["200-299", "301"]`; 2xx is what is expected without being told. */
function statusConditions(monitor: Monitor): readonly string[] {
  const codes = monitor['accepted_statuscodes'];
  if (!Array.isArray(codes) || codes.length === 0 || codes.join() === '200-299') return [];
  const ranges = codes.map((code) => {
    const [from, to = from] = String(code).split('-');
    return from === to ? `status == ${Number(from)}` : `(status >= ${Number(from)} && status <= ${Number(to)})`;
  });
  return [ranges.join(' || ')];
}

function keywordCondition(monitor: Monitor): string {
  const found = `body.contains(${JSON.stringify(text(monitor, 'keyword'))})`;
  return isOn(monitor['invertKeyword']) ? `!${found}` : found;
}

/** Plain paths only: `status`, `$.status`, `data.items[0].state`. */
function jsonCondition(monitor: Monitor, lost: Lost): readonly string[] {
  const path = text(monitor, 'jsonPath').replace(/^\$\.?/, '');
  const operator = text(monitor, 'jsonPathOperator') || '==';
  if (!/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\])*$/.test(path) || !/^(?:==|!=|<|>|<=|>=)$/.test(operator)) {
    lost(`the JSON query ${text(monitor, 'jsonPath')} ${operator}: write a condition over json`);
    return [];
  }
  const expected = text(monitor, 'expectedValue');
  const isPlain = /^(?:-?\d+(?:\.\d+)?|true|false|null)$/.test(expected);
  return [`json.${path} ${operator} ${isPlain ? expected : JSON.stringify(expected)}`];
}

function dnsProbe(monitor: Monitor, lost: Lost): Probe {
  const servers = text(monitor, 'dns_resolve_server').split(',');
  const [server = ''] = servers.map((one) => one.trim());
  if (servers.length > 1) lost('all but the first of its name servers');
  const port = Number(monitor['port'] ?? 53) || 53;
  const address = server.includes(':') ? `[${server}]` : server;
  return {
    type: 'dns',
    spec: compact({
      name: text(monitor, 'hostname'),
      type: filled(monitor, 'dns_resolve_type'),
      server: server === '' ? undefined : `${address}:${port}`,
    }),
  };
}

function databaseProbe(type: string, monitor: Monitor, lost: Lost): Probe {
  const query = filled(monitor, 'databaseQuery');
  if (query !== undefined && !/^\s*select\b/i.test(query)) lost(`its query, which is no SELECT: ${query.slice(0, 80)}`);
  const reads = query !== undefined && /^\s*select\b/i.test(query);
  return { type, spec: { url: text(monitor, 'databaseConnectionString'), ...(reads && { query }) } };
}
