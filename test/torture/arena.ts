/**
 * Four services with their fixes, a Slack and a webhook receiver, and a home, in a folder that outlives a run: what they
 * write down there by themselves is what the daemon is judged by.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, freePort, type Home, homeAt, startDaemon } from '../estate/daemon.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { startPostgres } from '../estate/postgres.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { type Service, startService } from '../estate/service.ts';
import { TEST_TOKEN } from '../estate/stage.ts';
import { SERVICES, type ServiceName } from './round.ts';

export interface Arena {
  readonly folder: string;
  readonly home: Home;
  /** Its store, when that is a PostgreSQL. */
  readonly storeUrl: string | undefined;
  readonly services: ReadonlyMap<ServiceName, Service>;
  readonly slack: FakeSlack;
  readonly bus: Receiver;
  start(options: { readonly ready: boolean; readonly environment?: Readonly<Record<string, string>> }): Promise<Daemon>;
  /** Ends everything that it started. The folder stays. */
  close(): Promise<void>;
}

export interface ArenaOptions {
  readonly folder: string;
  /** Slack's burst cap: what exceeds it a minute becomes digests. */
  readonly slackBurst: number;
  /** Default: SQLite. */
  readonly store?: 'sqlite' | 'postgres';
}

export async function openArena({ folder, slackBurst, store }: ArenaOptions): Promise<Arena> {
  await mkdir(folder, { recursive: true });
  const postgres =
    store === 'postgres' ? await startPostgres(['fsync=off'], { folder: join(folder, 'postgres') }) : undefined;
  const storeUrl = await postgres?.createDatabase('brainstem');
  const slack = await startFakeSlack({ journal: join(folder, 'slack.jsonl'), token: TEST_TOKEN });
  const bus = await startReceiver({ journal: join(folder, 'bus.jsonl') });
  const services = new Map<ServiceName, Service>();
  for (const name of SERVICES) services.set(name, await openService(join(folder, name)));
  const home = homeAt(join(folder, 'home'));
  await home.write({
    'brainstem.yml': settings(slackBurst),
    'probes/services.yaml': `probes:\n${SERVICES.map((name) => probe(name, urlOf(services, name))).join('')}`,
    'remediations/services.yaml': `remediations:\n${[...services].map(([name, { restartArgv }]) => remediation(name, restartArgv)).join('')}`,
  });
  const port = await freePort();
  const daemons: Daemon[] = [];
  return {
    ...{ folder, home, storeUrl, services, slack, bus },
    async start({ ready, environment }) {
      const channels = { SLACK_BOT_TOKEN: TEST_TOKEN, SLACK_API_URL: slack.url, BUS_URL: bus.url };
      const variables = { ...channels, STORE_URL: storeUrl ?? '', ...environment };
      const daemon = await startDaemon({ home, port, ready, environment: variables });
      daemons.push(daemon);
      return daemon;
    },
    async close() {
      for (const daemon of daemons) await daemon.kill();
      for (const service of services.values()) await service.stop();
      await slack.close();
      await bus.close();
      await postgres?.stop();
    },
  };
}

async function openService(folder: string): Promise<Service> {
  await mkdir(folder, { recursive: true });
  return startService(folder, await freePort());
}

function urlOf(services: ReadonlyMap<ServiceName, Service>, name: ServiceName): string {
  return services.get(name)?.url ?? '';
}

function settings(slackBurst: number): string {
  return `
http: { listen: "\${LISTEN}" }
store: { url: "\${STORE_URL:-}" }
log: { level: info }
healing: { budget: 10000 in 1h }
alerts: { flapping: 10000 in 10m }
notifiers:
  oncall: { burst: ${slackBurst}, slack: { token: "\${SLACK_BOT_TOKEN}", channel: "ops", api_url: "\${SLACK_API_URL}" } }
  bus: { burst: 1000, webhook: { url: "\${BUS_URL}" } }
routes: [{ notify: [oncall, bus] }]
`;
}

/** What each service has of its own. */
const TRAITS: Readonly<Record<ServiceName, string>> = {
  plain: 'relapse: 1s',
  held: 'relapse: 1s\n    page_after: 15s',
  child: 'relapse: 1s\n    depends_on: [plain]',
  relapsing: 'relapse: 1h',
};

function probe(name: ServiceName, url: string): string {
  return `
  - name: ${name}
    http: { url: "${url}" }
    every: 500ms
    timeout: 500ms
    fail_after: 2
    recover_after: 2
    severity: critical
    remediate: [{ try: [{ name: restart-${name}, tries: 100 }] }]
    ${TRAITS[name]}
`;
}

function remediation(name: ServiceName, argv: readonly string[]): string {
  return `
  - name: restart-${name}
    exec: { argv: ${JSON.stringify(argv)} }
    timeout: 5s
    settle: 200ms
    verify_within: 3s
    cooldown: 200ms
    limit: 10000 in 1h
    idempotent: ${name === 'plain' || name === 'held'}
`;
}
