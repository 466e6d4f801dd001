/** What can be broken by name, and what the daemon must say of it: each break is seen by these probes, with these reasons. */
import type { Reason } from '../src/model.ts';
import type { PartName, World } from './parts/index.ts';

export interface Break {
  readonly summary: string;
  /** What must be there for it. */
  readonly part: PartName;
  /** Probes that go down by it, each with an incident of its own. */
  readonly red: Readonly<Record<string, Reason>>;
  /** Probes that go down with them: their incidents are children. */
  readonly children?: readonly string[];
  /** How long until it shows, besides what the definition says. Default: 0. */
  readonly afterMs?: number;
  does(world: World): Promise<unknown> | unknown;
  mends(world: World): Promise<unknown> | unknown;
}

const AGENTS = ['agents-registry', 'agents-heartbeats', 'agents-pathways', 'agents-memory'];
const IN_POSTGRES = [
  ...['postgres-pool', 'postgres-idle-transactions', 'postgres-long-queries', 'postgres-replication', 'postgres-size'],
  ...[
    'postgres-customers',
    'postgres-jobs',
    'postgres-estimates',
    'postgres-invoices',
    ...AGENTS,
    'vault',
    'vault-log',
  ],
];
const IN_REDIS = ['redis-memory', 'redis-clients', 'redis-replication'];
const ROUTES = [
  ...['auth', 'customers', 'jobs', 'estimates', 'invoices', 'inventory', 'equipment', 'workflows', 'ai', 'webhooks'],
].map((group) => `backend-${group}`);

export const BREAKS: Readonly<Record<string, Break>> = {
  'redis-killed': {
    summary: 'the process in Redis’s container is killed',
    part: 'redis',
    red: { redis: 'exit_code' },
    children: ['redis-ping', 'redis-server', ...IN_REDIS],
    does: ({ redis }) => redis.server.kill(),
    mends: ({ redis }) => redis.server.start(),
  },
  'redis-hangs': {
    summary: 'Redis accepts connections and answers nothing',
    part: 'redis',
    red: { 'redis-ping': 'timeout' },
    children: ['redis-server', ...IN_REDIS],
    does: ({ redis }) => redis.server.pause(),
    mends: ({ redis }) => redis.server.resume(),
  },
  'redis-busy': {
    summary: 'a script holds Redis up, which says so',
    part: 'redis',
    red: { 'redis-ping': 'unhealthy' },
    children: ['redis-server', ...IN_REDIS],
    does: ({ redis }) => redis.holdUp(),
    mends: ({ redis }) => redis.cli('SCRIPT', 'KILL'),
  },
  'redis-full': {
    summary: 'Redis is at its memory limit',
    part: 'redis',
    red: { 'redis-memory': 'condition' },
    does: ({ redis }) => redis.fill(),
    mends: ({ redis }) => redis.cli('CONFIG', 'SET', 'maxmemory', '64mb'),
  },
  'postgres-killed': {
    summary: 'the process in PostgreSQL’s container is killed',
    part: 'postgres',
    red: { postgres: 'exit_code' },
    children: ['postgres-port', 'postgres-server', ...IN_POSTGRES],
    does: ({ postgres }) => postgres.server.kill(),
    mends: ({ postgres }) => postgres.server.start(),
  },
  'postgres-hangs': {
    summary: 'PostgreSQL accepts connections and answers nothing',
    part: 'postgres',
    red: { 'postgres-server': 'timeout' },
    children: IN_POSTGRES,
    does: ({ postgres }) => postgres.server.pause(),
    mends: ({ postgres }) => postgres.server.resume(),
  },
  'pool-used-up': {
    summary: 'an application gives no connection back',
    part: 'postgres',
    red: { 'postgres-pool': 'condition' },
    does: ({ postgres }) => postgres.openSessions(60),
    mends: ({ postgres }) => postgres.closeSessions(),
  },
  'rows-deleted': {
    summary: 'a fifth of the customers is deleted',
    part: 'postgres',
    red: { 'postgres-customers': 'condition' },
    does: ({ postgres }) => postgres.sql('delete from customers where id > 80'),
    mends: ({ postgres }) => postgres.sql('insert into customers select generate_series(81, 100)'),
  },
  'agent-silent': {
    summary: 'two of the AI agents report no more',
    part: 'postgres',
    red: { 'agents-heartbeats': 'condition' },
    does: ({ postgres }) => postgres.sql("update agents_known set silent = true where name in ('agent-3', 'agent-7')"),
    mends: ({ postgres }) => postgres.sql('update agents_known set silent = false'),
  },
  'vault-log-cut': {
    summary: 'a line of the vault’s log is deleted',
    part: 'postgres',
    red: { 'vault-log': 'condition' },
    does: ({ postgres }) => postgres.sql('delete from credential_audit_log where id = 100'),
    mends: ({ postgres }) => postgres.sql('insert into credential_audit_log values (100)'),
  },
  'worker-killed': {
    summary: 'Celery’s worker is killed',
    part: 'celery',
    red: { 'celery-workers': 'unhealthy' },
    does: ({ celery }) => celery.worker.kill(),
    mends: ({ celery }) => celery.worker.start(),
  },
  'queue-grows': {
    summary: 'nobody works off a queue of Celery',
    part: 'celery',
    red: { 'celery-queues': 'condition' },
    does: ({ celery }) => celery.pile(20),
    mends: ({ celery }) => celery.clear(),
  },
  'backend-killed': {
    summary: 'the process in the backend’s container is killed',
    part: 'backend',
    red: { 'backend-api': 'connect_refused' },
    children: [...ROUTES, 'backend-websocket', 'session', 'deploy-version'],
    does: ({ backend }) => backend.server.kill(),
    mends: ({ backend }) => backend.server.start(),
  },
  'backend-degraded': {
    summary: 'the backend says that it is not operational',
    part: 'backend',
    red: { 'backend-api': 'body' },
    does: ({ backend }) => backend.fail('health'),
    mends: ({ backend }) => backend.fail(),
  },
  'customers-fail': {
    summary: 'one group of the backend’s routes answers 500',
    part: 'backend',
    red: { 'backend-customers': 'http_status' },
    does: ({ backend }) => backend.fail('customers'),
    mends: ({ backend }) => backend.fail(),
  },
  'no-live-updates': {
    summary: 'the backend refuses WebSockets',
    part: 'backend',
    red: { 'backend-websocket': 'http_status' },
    does: ({ backend }) => backend.fail('websocket'),
    mends: ({ backend }) => backend.fail(),
  },
  'sessions-refused': {
    summary: 'the backend believes no token that it gave',
    part: 'backend',
    red: { session: 'http_status' },
    does: ({ backend }) => backend.fail('sessions'),
    mends: ({ backend }) => backend.fail(),
  },
  'page-broken': {
    summary: 'MyRoofGenius shows an error with status 200',
    part: 'internet',
    red: { myroofgenius: 'body' },
    does: ({ internet }) => internet.fail('myroofgenius'),
    mends: ({ internet }) => internet.fail(),
  },
  'edge-uncached': {
    summary: 'the edge forbids caching',
    part: 'internet',
    red: { cdn: 'condition' },
    does: ({ internet }) => internet.fail('cdn'),
    mends: ({ internet }) => internet.fail(),
  },
  'storage-loses': {
    summary: 'object storage takes an object and keeps nothing of it',
    part: 'internet',
    red: { storage: 'body' },
    does: ({ internet }) => internet.fail('storage'),
    mends: ({ internet }) => internet.fail(),
  },
  'key-revoked': {
    summary: 'Stripe accepts our key no more',
    part: 'internet',
    red: { 'stripe-key': 'auth' },
    does: ({ internet }) => internet.fail('stripe'),
    mends: ({ internet }) => internet.fail(),
  },
  'build-failed': {
    summary: 'the last run on GitHub has failed',
    part: 'internet',
    red: { 'deploy-run': 'body' },
    does: ({ internet }) => internet.fail('run'),
    mends: ({ internet }) => internet.fail(),
  },
  'provider-out': {
    summary: 'Render says on its status page that it is out of order',
    part: 'internet',
    red: { 'status-render': 'unhealthy' },
    does: ({ internet }) => internet.fail('status-render'),
    mends: ({ internet }) => internet.fail(),
  },
  'unit-fails': {
    summary: 'a unit of systemd has failed',
    part: 'systemd',
    red: { 'systemd-unit': 'exit_code' },
    does: ({ systemd }) => systemd.fail(),
    mends: ({ systemd }) => systemd.restart(),
  },
  'program-fatal': {
    summary: 'a program of supervisord has ended, and is not started again',
    part: 'supervisor',
    red: { 'supervisor-program': 'exit_code' },
    does: ({ supervisor }) => supervisor.fail(),
    mends: ({ supervisor }) => supervisor.restart(),
  },
  'names-gone': {
    summary: 'the name server is gone',
    part: 'names',
    red: { 'uplink-dns': 'connect_refused' },
    children: ['backend-dns', 'myroofgenius-dns', 'weathercraft-dns', 'task-os-dns'],
    does: ({ names }) => names.end(),
    mends: ({ names }) => names.mend(),
  },
  'domain-lost': {
    summary: 'the name of Task OS is gone',
    part: 'names',
    red: { 'task-os-dns': 'condition' },
    does: ({ names }) => names.forget('task-os.test'),
    mends: ({ names }) => names.mend(),
  },
  'certificate-ended': {
    summary: 'the certificate of WeatherCraft ERP has ended',
    part: 'names',
    red: { 'weathercraft-certificate': 'certificate_expired' },
    does: ({ names }) => names.certify('weathercraft.test', -2),
    mends: ({ names }) => names.mend(),
  },
  'certificate-ends': {
    summary: 'the certificate of MyRoofGenius ends in two days',
    part: 'names',
    red: { 'myroofgenius-certificate': 'condition' },
    does: ({ names }) => names.certify('myroofgenius.test', 2),
    mends: ({ names }) => names.mend(),
  },
  'grafana-killed': {
    summary: 'the process in Grafana’s container is killed',
    part: 'tools',
    red: { grafana: 'exit_code' },
    children: ['grafana-health', 'grafana-dashboard'],
    does: ({ tools }) => tools.grafana.kill(),
    mends: ({ tools }) => tools.grafana.start(),
  },
  'dashboard-gone': {
    summary: 'Grafana’s dashboard is deleted',
    part: 'tools',
    red: { 'grafana-dashboard': 'http_status' },
    does: ({ tools }) => tools.hideDashboard(true),
    mends: ({ tools }) => tools.hideDashboard(false),
  },
  'prometheus-hangs': {
    summary: 'Prometheus accepts connections and answers nothing',
    part: 'prometheus',
    red: { 'prometheus-ready': 'timeout' },
    children: ['prometheus-targets', 'prometheus-scrapes', 'prometheus-rules'],
    does: ({ prometheus }) => prometheus.server.pause(),
    mends: ({ prometheus }) => prometheus.server.resume(),
  },
  'grid-hangs': {
    summary: 'the Selenium Grid accepts connections and answers nothing',
    part: 'selenium',
    red: { 'selenium-grid-ready': 'timeout' },
    does: ({ selenium }) => selenium.server.pause(),
    mends: ({ selenium }) => selenium.server.resume(),
  },
  'mail-refused': {
    summary: 'the mail server refuses our login',
    part: 'mail',
    red: { mail: 'auth' },
    does: ({ mail }) => mail.server.fail({ at: 'AUTH', code: 535, text: '5.7.8 no such login' }),
    mends: ({ mail }) => mail.server.fail(),
  },
  'papertrail-gone': {
    summary: 'Papertrail takes no connections',
    part: 'papertrail',
    red: { papertrail: 'connect_refused' },
    does: ({ papertrail }) => papertrail.leave(),
    mends: ({ papertrail }) => papertrail.comeBack(),
  },
  'sync-stops': {
    summary: 'the database sync runs no more',
    part: 'syncs',
    red: { 'database-sync': 'missed_heartbeat' },
    afterMs: 9_000,
    does: ({ syncs }) => syncs.schedule(false),
    mends: ({ syncs }) => syncs.schedule(true),
  },
  'program-ends': {
    summary: 'a program that must run has ended',
    part: 'syncs',
    red: { 'host-process': 'condition' },
    does: ({ syncs }) => syncs.endScheduler(),
    mends: ({ syncs }) => syncs.startScheduler(),
  },
};
