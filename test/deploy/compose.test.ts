/**
 * docker-compose.yml as far as it can be checked without an engine that has a registry: against the keys that Compose knows, the
 * files that it names, and itself (https://github.com/compose-spec/compose-spec/blob/main/spec.md).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const duration = z.string().regex(/^\d+(?:ms|s|m)$/);

const mount = z.strictObject({ source: z.string(), target: z.string().startsWith('/') });
const service = z.strictObject({
  image: z.string().regex(/^[a-z][a-z0-9/-]*(?::[a-z0-9][\w.-]*)?$/),
  build: z.literal('.').optional(),
  restart: z.literal('unless-stopped'),
  logging: z.strictObject({ driver: z.literal('json-file'), options: z.record(z.string(), z.string()) }),
  env_file: z.array(z.strictObject({ path: z.string(), required: z.boolean() })).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  command: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  configs: z.array(mount).optional(),
  secrets: z.array(z.string()).optional(),
  ports: z.array(z.string()),
  depends_on: z
    .union([z.array(z.string()), z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') }))])
    .optional(),
  healthcheck: z
    .strictObject({ test: z.array(z.string()), interval: duration, timeout: duration, retries: z.number() })
    .optional(),
  shm_size: z.string().optional(),
  stop_grace_period: duration.optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
});
const compose = z.strictObject({
  name: z.string(),
  'x-defaults': z.unknown(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
  secrets: z.record(z.string(), z.strictObject({ environment: z.string() })),
  configs: z.record(z.string(), z.strictObject({ file: z.string() })),
});

const { services, volumes, secrets, configs } = compose.parse(parse(read('docker-compose.yml'), { merge: true }));
const all = Object.entries(services);
const serviceOf = (name: string) => {
  const found = services[name];
  if (!found) throw new Error(`there is no service ${name}`);
  return found;
};

test('it has what the daemon needs and what watches it, in the versions that were promised', () => {
  expect(Object.keys(services)).toEqual(['brainstem', 'postgres', 'redis', 'prometheus', 'grafana']);
  expect(serviceOf('postgres').image).toMatch(/^postgres:15\b/);
  expect(serviceOf('redis').image).toMatch(/^redis:7\b/);
});

test.each(all)('%s publishes on loopback alone', (_, { ports }) => {
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test('no port is published twice', () => {
  const published = all.flatMap(([, { ports }]) => ports.map((port) => port.split(':')[1]));
  expect(published.toSorted()).toEqual(['3002', '5432', '6379', '9090', '9911']);
});

test.each(all)('%s names only volumes, files, secrets and configurations that exist', (_, used) => {
  for (const volume of used.volumes ?? []) {
    const [source = ''] = volume.split(':');
    if (source.startsWith('./')) expect(existsSync(join(ROOT, source)), source).toBe(true);
    else expect(volumes).toHaveProperty(source);
  }
  for (const { source } of used.configs ?? []) expect(configs).toHaveProperty(source);
  for (const secret of used.secrets ?? []) expect(secrets).toHaveProperty(secret);
});

test('every configuration is a file, and everything that is declared is used', () => {
  for (const { file } of Object.values(configs)) expect(existsSync(join(ROOT, file)), file).toBe(true);
  const mounted = all.flatMap(([, used]) => (used.volumes ?? []).map((volume) => volume.split(':')[0]));
  expect(mounted).toEqual(expect.arrayContaining(Object.keys(volumes)));
  const given = all.flatMap(([, used]) => (used.configs ?? []).map(({ source }) => source));
  expect(given.toSorted()).toEqual(Object.keys(configs).toSorted());
});

test.each(all)(
  '%s waits only for services that exist, and for health only where it is checked',
  (_, { depends_on }) => {
    if (Array.isArray(depends_on)) for (const name of depends_on) serviceOf(name);
    else for (const name of Object.keys(depends_on ?? {})) expect(serviceOf(name).healthcheck).toBeDefined();
  },
);

test('every secret comes from a variable that must be set, and has no default', () => {
  const values = all.flatMap(([, { environment }]) => Object.entries(environment ?? {}));
  const held = values.filter(([name]) => /TOKEN|PASSWORD|SECRET/.test(name));
  expect(held.map(([name]) => name)).toEqual(['BRAINSTEM_TOKEN', 'POSTGRES_PASSWORD', 'GF_SECURITY_ADMIN_PASSWORD']);
  for (const [, value] of held) expect(value).toMatch(/^\$\{[A-Z_]+:\?.+\}$/);
});

describe('the configuration of Prometheus', () => {
  test("is promtool's liking, and scrapes what is there with its token", () => {
    const folder = mkdtempSync(join(tmpdir(), 'brainstem-compose-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    cpSync(join(ROOT, 'prometheus.rules.yml'), join(folder, 'prometheus.rules.yml'));
    const text = read('deploy/prometheus.yml');
    writeFileSync(join(folder, 'token'), 'made up');
    writeFileSync(join(folder, 'prometheus.yml'), text.replace('/run/secrets/brainstem-token', join(folder, 'token')));
    expect(
      execFileSync('promtool', ['check', 'config', join(folder, 'prometheus.yml')], { encoding: 'utf8' }),
    ).toContain('SUCCESS');
    expect(serviceOf('prometheus').secrets).toEqual(['brainstem-token']);
  });

  test('differs from that of the repository in the place of the daemon and its token alone', () => {
    type Scraping = { scrape_configs: Record<string, unknown>[] };
    const [own, inCompose] = ['prometheus.yml', 'deploy/prometheus.yml'].map((path) => parse(read(path)) as Scraping);
    const job = inCompose?.scrape_configs[0];
    expect(job).toMatchObject({ static_configs: [{ targets: ['brainstem:9911'] }] });
    const { authorization: _, ...same } = { ...job, static_configs: own?.scrape_configs[0]?.['static_configs'] } as {
      authorization?: unknown;
    };
    expect({ ...inCompose, scrape_configs: [same] }).toEqual(own);
  });
});

test('Grafana finds the dashboards where they are mounted, and Prometheus under the name that it has', () => {
  const dashboards = parse(read('deploy/grafana-dashboards.yml')) as { providers: { options: { path: string } }[] };
  const datasources = parse(read('deploy/grafana-datasource.yml')) as { datasources: { url: string; uid: string }[] };
  const [provider] = dashboards.providers;
  expect(serviceOf('grafana').volumes).toContain(`./dashboards:${provider?.options.path}:ro`);
  expect(datasources.datasources[0]).toMatchObject({ url: 'http://prometheus:9090', uid: 'prometheus' });
});

test('what the image is built from is sent to the engine, and no secret of a home can be', () => {
  const sent = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copies = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
  const needed = copies.flatMap(([, paths = '']) => paths.split(' '));
  expect(sent.toSorted()).toEqual([...new Set(needed)].toSorted());
  expect(sent.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
