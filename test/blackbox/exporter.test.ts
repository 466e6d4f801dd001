/**
 * The same target, asked with the same module in the same second: blackbox_exporter 0.23 of Debian, and Brainstem. Names
 * and labels of all series must be the same, and values wherever they do not depend on the moment. What differs has a
 * name here, and a reason under that name in docs/blackbox.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askProbe, type Exporter, type Series, startExporter } from '../estate/blackbox-exporter.ts';
import { type BlackboxTargets, startBlackboxTargets } from '../estate/blackbox-targets.ts';
import { createHome, type Daemon, type Home, startDaemon } from '../estate/daemon.ts';
import { grpcStatus, type HealthAnswer, startGrpcServer } from '../estate/grpc-server.ts';
import type { KeyPair } from '../estate/hostile-certificates.ts';

let targets: BlackboxTargets;
let exporter: Exporter;
let daemon: Daemon;
let home: Home;

beforeAll(async () => {
  targets = await startBlackboxTargets();
  const modules = MODULES.replaceAll('CA_FILE', join(targets.authority.folder, 'ca.pem'));
  exporter = await startExporter(modules);
  home = await createHome({ 'blackbox.yml': modules, 'brainstem.yml': 'http: { listen: "${LISTEN}" }\n' });
  daemon = await startDaemon({ home });
});

afterAll(async () => {
  await daemon?.stop();
  await exporter?.stop();
  await targets?.close();
  await home?.remove();
});

const MODULES = `modules:
  http_2xx: { prober: http }
  http_ip4: { prober: http, timeout: 2s, http: { preferred_ip_protocol: ip4 } }
  http_post: { prober: http, http: { method: POST, body: "x" } }
  http_any: { prober: http, http: { valid_status_codes: [200, 404, 302] , follow_redirects: false } }
  http_body: { prober: http, http: { fail_if_body_matches_regexp: ["(?i)HELLO"] } }
  http_no_body: { prober: http, http: { fail_if_body_not_matches_regexp: ["World</p>$"] } }
  http_header:
    prober: http
    http: { fail_if_header_not_matches: [{ header: Last-Modified, regexp: "^Wed" }] }
  http_no_header:
    prober: http
    http: { fail_if_header_matches: [{ header: last-modified, regexp: "GMT$", allow_missing: true }] }
  http_gzip: { prober: http, http: { compression: gzip } }
  http_limit: { prober: http, http: { body_size_limit: 1KB } }
  http_auth: { prober: http, http: { basic_auth: { username: u, password: passphrase } } }
  http_10: { prober: http, http: { valid_http_versions: ["HTTP/1.0"] } }
  https: { prober: http, http: { fail_if_not_ssl: true, tls_config: { ca_file: CA_FILE } } }
  https_never: { prober: http, http: { fail_if_ssl: true, tls_config: { ca_file: CA_FILE } } }
  https_any: { prober: http, http: { tls_config: { insecure_skip_verify: true } } }
  https_13: { prober: http, http: { tls_config: { ca_file: CA_FILE, min_version: TLS13 } } }
  http_short: { prober: http, timeout: 500ms }
  tcp: { prober: tcp }
  tcp_ssh:
    prober: tcp
    tcp:
      query_response:
        - expect: "^SSH-2.0-(?P<name>[^_]+)_(.*)$"
          send: "PING \${2}"
        - expect: "^PONG$"
  tcp_wrong: { prober: tcp, timeout: 1s, tcp: { query_response: [{ expect: "^NEVER" }] } }
  tcp_tls: { prober: tcp, tcp: { tls: true, tls_config: { ca_file: CA_FILE } } }
  tcp_smtp:
    prober: tcp
    tcp:
      tls_config: { ca_file: CA_FILE }
      query_response:
        - expect: "^220 "
        - send: "EHLO prober\\r"
        - expect: "^250 STARTTLS"
        - send: "STARTTLS\\r"
        - expect: "^220"
        - starttls: true
        - send: "EHLO prober\\r"
        - expect: "^250 encrypted"
  dns_soa: { prober: dns, dns: { query_name: zone.test, query_type: SOA } }
  dns_a:
    prober: dns
    dns:
      query_name: www.zone.test
      query_type: A
      validate_answer_rrs:
        fail_if_not_matches_regexp: ['www\\.zone\\.test\\.\\t60\\tIN\\tA\\t127\\.0\\.0\\.(9|10)$']
        fail_if_none_matches_regexp: ['127\\.0\\.0\\.10$']
  dns_a_bad: { prober: dns, dns: { query_name: www.zone.test, query_type: A, validate_answer_rrs: { fail_if_matches_regexp: ["0.9$"] } } }
  dns_all: { prober: dns, dns: { query_name: www.zone.test, query_type: A, validate_answer_rrs: { fail_if_all_match_regexp: ["127"] } } }
  dns_all_bad: { prober: dns, dns: { query_name: www.zone.test, query_type: A, validate_answer_rrs: { fail_if_all_match_regexp: ["0.9$"] } } }
  dns_txt: { prober: dns, dns: { query_name: zone.test, query_type: TXT, transport_protocol: tcp, validate_answer_rrs: { fail_if_not_matches_regexp: ['"v=spf1 -all" "second \\\\"part\\\\""$'] } } }
  dns_mx: { prober: dns, dns: { query_name: zone.test, query_type: MX, validate_answer_rrs: { fail_if_not_matches_regexp: ['10 mail\\.zone\\.test\\.$'] } } }
  dns_gone: { prober: dns, dns: { query_name: gone.zone.test, query_type: A } }
  dns_gone_ok: { prober: dns, dns: { query_name: gone.zone.test, query_type: A, valid_rcodes: [NXDOMAIN], validate_authority_rrs: { fail_if_none_matches_regexp: ['SOA\\tns\\.zone\\.test\\. root'] } } }
  dns_tls: { prober: dns, dns: { query_name: zone.test, query_type: SOA, transport_protocol: tcp, dns_over_tls: true, tls_config: { ca_file: CA_FILE } } }
  grpc: { prober: grpc, timeout: 2s, grpc: { service: "" } }
  grpc_shop: { prober: grpc, timeout: 2s, grpc: { service: shop.Orders } }
  grpc_tls: { prober: grpc, timeout: 2s, grpc: { tls: true, tls_config: { ca_file: CA_FILE } } }
  icmp: { prober: icmp, timeout: 2s, icmp: { preferred_ip_protocol: ip4 } }
  icmp_large: { prober: icmp, timeout: 2s, icmp: { preferred_ip_protocol: ip4, payload_size: 1000, ttl: 9, dont_fragment: true } }
`;

/** Module, target by name and what follows it. */
const PAIRS: readonly (readonly [module: string, target: string, path?: string])[] = [
  ['http_2xx', 'http', '/ok'],
  ['http_2xx', 'http', '/missing'],
  ['http_2xx', 'http', '/broken'],
  ['http_2xx', 'http', '/empty'],
  ['http_2xx', 'http', '/chunked'],
  ['http_2xx', 'http', '/moved'],
  ['http_2xx', 'http', '/moved-away'],
  ['http_2xx', 'http', '/loop'],
  ['http_2xx', 'http', '/zipped'],
  ['http_2xx', 'http', '/half'],
  ['http_2xx', 'refused'],
  ['http_2xx', 'silent'],
  ['http_ip4', 'localhost', ':PORT/ok'],
  ['http_2xx', 'name.invalid'],
  ['http_post', 'http', '/posted'],
  ['http_any', 'http', '/moved'],
  ['http_any', 'http', '/missing'],
  ['http_body', 'http', '/ok'],
  ['http_no_body', 'http', '/ok'],
  ['http_no_body', 'http', '/json'],
  ['http_header', 'http', '/ok'],
  ['http_header', 'http', '/json'],
  ['http_no_header', 'http', '/ok'],
  ['http_no_header', 'http', '/json'],
  ['http_gzip', 'http', '/zipped'],
  ['http_gzip', 'http', '/ok'],
  ['http_gzip', 'http', '/empty'],
  ['http_limit', 'http', '/large'],
  ['http_limit', 'http', '/ok'],
  ['http_auth', 'http', '/private'],
  ['http_2xx', 'http', '/private'],
  ['http_10', 'http', '/ok'],
  ['http_short', 'http', '/slow'],
  ['https', 'https', '/ok'],
  ['https', 'old', '/json'],
  ['https', 'http', '/ok'],
  ['https_never', 'https', '/ok'],
  ['https', 'expired', '/ok'],
  ['https', 'foreign', '/ok'],
  ['https_any', 'expired', '/ok'],
  ['https_13', 'https', '/ok'],
  ['https_13', 'old', '/ok'],
  ['tcp', 'banner'],
  ['tcp', 'refused'],
  ['tcp', 'name.invalid', ':80'],
  ['tcp_ssh', 'banner'],
  ['tcp_ssh', 'closing'],
  ['tcp_wrong', 'closing'],
  ['tcp_wrong', 'banner'],
  ['tcp_tls', 'tls'],
  ['tcp_tls', 'foreign'],
  ['tcp_smtp', 'mail'],
  ['dns_soa', 'dns'],
  ['dns_a', 'dns'],
  ['dns_a_bad', 'dns'],
  ['dns_all', 'dns'],
  ['dns_all_bad', 'dns'],
  ['dns_txt', 'dns'],
  ['dns_mx', 'dns'],
  ['dns_gone', 'dns'],
  ['dns_gone_ok', 'dns'],
  ['dns_tls', 'dnsTls'],
  ['dns_soa', 'refused'],
  ['icmp', '127.0.0.1'],
  ['icmp_large', '127.0.0.1'],
  ['icmp', 'name.invalid'],
];

/** What depends on the moment: only the series is compared. */
const MOMENTARY = /_duration_seconds|_lookup_time_seconds/;
const SECURED = new Set(['https', 'expired', 'foreign', 'old']);

interface Asked {
  readonly module: string;
  readonly target: string;
  readonly path: string;
}

/** By name: whether it explains a series that one of both lacks (undefined), or that has two values. */
const DIFFERENCES: Readonly<
  Record<string, (series: string, theirs: number | undefined, ours: number | undefined, asked: Asked) => boolean>
> = {
  'newer-series': (series, theirs) =>
    theirs === undefined && /^probe_(?:tls_cipher_info|failed_due_to_cel)\b/.test(series),
  'certificate-of-a-failure': (series, theirs, _ours, { target }) =>
    theirs === undefined && /^probe_(?:ssl|tls)_/.test(series) && /expired|foreign|old/.test(target),
  'tls-of-tcp': (series, theirs) =>
    theirs === undefined && /^probe_(?:ssl_last_chain_info|ssl_last_chain_expiry|tls_version_info)/.test(series),
  'half-a-body': (series, _theirs, ours, { path }) =>
    series === 'probe_http_uncompressed_body_length' && ours === 0 && path === '/half',
  'phases-without-an-address': (series, theirs, ours, { target }) =>
    theirs === undefined &&
    ours === 0 &&
    series.startsWith('probe_http_duration_seconds{') &&
    target === 'name.invalid',
  'end-without-tls': (series, theirs, ours, { target }) =>
    series === 'probe_ssl_earliest_cert_expiry' && theirs === 0 && ours === undefined && target === 'grpc',
  'chain-unverified': (series, theirs) =>
    series === 'probe_ssl_last_chain_expiry_timestamp_seconds' && theirs !== undefined && theirs < 0,
};

/** Differences that were met: one that never is has gone. */
const met = new Set<string>();

function differences(theirs: Series, ours: Series, asked: Asked): readonly string[] {
  // Otherwise the label would hide what else the series says.
  const bare = new Map([...ours].map(([series, value]) => [series.replace(/,serialnumber="\w+"/, ''), value]));
  if (bare.has([...theirs.keys()].find((series) => series.startsWith('probe_ssl_last_chain_info')) ?? ''))
    met.add('serial-number');
  return [...new Set([...theirs.keys(), ...bare.keys()])].flatMap((series) => {
    const [one, other] = [theirs.get(series), bare.get(series)];
    const isSame = one !== undefined && other !== undefined && (one === other || MOMENTARY.test(series));
    if (isSame) return [];
    const known = Object.keys(DIFFERENCES).filter((name) => DIFFERENCES[name]?.(series, one, other, asked));
    for (const name of known) met.add(name);
    return known.length > 0 ? [] : [`${series}: exporter ${one}, Brainstem ${other}`];
  });
}

function addressOf(target: string, path: string): string {
  const { at } = targets;
  const address = at[target] ?? target;
  const port = at['http']?.split(':')[1] ?? '';
  return `${SECURED.has(target) && path !== '' ? 'https://' : ''}${address}${path.replace('PORT', port)}`;
}

/** Both are asked at once. */
async function compare(module: string, target: string, asked: Asked): Promise<void> {
  const headers = { 'x-prometheus-scrape-timeout-seconds': '3.5' };
  const [theirs, ours] = await Promise.all([
    askProbe(exporter.url, { module, target }, headers),
    askProbe(daemon.url, { module, target }, headers),
  ]);
  expect([theirs.status, ours.status]).toEqual([200, 200]);
  expect(ours.series.get('probe_success'), ours.text).toBe(theirs.series.get('probe_success'));
  expect(differences(theirs.series, ours.series, asked)).toEqual([]);
}

describe.each(PAIRS.map(([module, name, path = '']) => [module, name, path] as const))(
  '%s on %s%s',
  (module, name, path) => {
    test('says what the exporter says', async () => {
      const target = addressOf(name, path);
      await compare(module, target, { module, target: name, path });
    });
  },
);

describe.each<[string, string, HealthAnswer | undefined]>([
  ['grpc', 'http', 'SERVING'],
  ['grpc', 'http', 'NOT_SERVING'],
  ['grpc', 'http', { code: grpcStatus.UNIMPLEMENTED }],
  ['grpc_shop', 'http', 'SERVING'],
  ['grpc_shop', 'http', { code: grpcStatus.NOT_FOUND }],
  ['grpc', 'http', undefined],
  ['grpc_tls', 'https', 'SERVING'],
  ['grpc_tls', 'https', 'NOT_SERVING'],
  ['grpc_tls', 'http', 'SERVING'],
])('%s over %s, answered %o', (module, scheme, answer) => {
  test('says what the exporter says', async () => {
    const keys = scheme === 'https' ? { keys: await keysOf(targets.authority.folder) } : {};
    const server = answer && (await startGrpcServer(() => answer, keys));
    const target = server ? `127.0.0.1:${server.port}` : (targets.at['refused'] ?? '');
    await compare(module, target, { module, target: 'grpc', path: '' });
  });
});

async function keysOf(folder: string): Promise<KeyPair> {
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  return { cert: read('good.pem'), key: read('good.key') };
}

test('every difference exists, and has its reason in the documentation', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/blackbox.md'), 'utf8');
  const named = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(named.sort()).toEqual([...Object.keys(DIFFERENCES), 'serial-number'].sort());
  expect([...met].sort()).toEqual(named);
});
