/**
 * The Debian packages whose programs the tests use as real parts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface Part {
  readonly package: string;
  /** What the package brings, to see whether it is there. */
  readonly provides: string;
  /** The test files that need it, below test/, without `.test.ts`; `*` for several. */
  readonly suites: readonly string[];
}

/** They need all parts, or nearly: one for each type, or for each system of the estate. */
const EVERY_TYPE = ['probe-types/examples', 'probe-types/soak', 'e2e/estate-miniature'];
const DOCKER = [
  ...EVERY_TYPE,
  'probe-types/docker*',
  'action-types/docker',
  'e2e/docker*',
  'deploy/image',
  'e2e/estate-docker',
];
const CERTIFICATES = [
  ...EVERY_TYPE,
  'probe-types/http-tls',
  'probe-types/http-failures',
  'notifiers/email',
  'probe-types/network-leaks',
  'probe-types/tls',
  'probe-types/route-options',
  'blackbox/*',
  'probe-types/dns',
  'probe-types/postgres-hostile',
  'probe-types/redis',
  'probe-types/prometheus',
  'probe-types/tcp-steps',
  'probe-types/steps-leaks',
  'probe-types/http-steps',
  'probe-types/recipes',
  'probe-types/grpc',
  'probe-types/mysql',
  'probe-types/smtp',
  'probe-types/websocket',
  'probe-types/nats',
  'probe-types/mqtt',
  'probe-types/rabbitmq',
  'papertrail/shipper',
  'e2e/papertrail',
];
const POSTGRES = [
  'action-types/postgres',
  'action-types/sql',
  'e2e/actions',
  'e2e/estate-postgres',
  'e2e/estate-agents',
];

const SELENIUM = [...EVERY_TYPE, 'probe-types/selenium-grid'];
const CELERY = [...EVERY_TYPE, 'probe-types/celery', 'e2e/drivers', 'e2e/estate-celery', 'action-types/celery'];

const SYSTEMD = [...EVERY_TYPE, 'deploy/systemd', 'probe-types/systemd', 'action-types/systemd', 'e2e/systemd'];
const SUPERVISOR = [
  ...EVERY_TYPE,
  'probe-types/supervisor',
  'action-types/supervisor',
  'e2e/supervisor',
  'e2e/estate-units',
];

const PARTS: readonly Part[] = [
  { package: 'docker.io', provides: '/usr/sbin/dockerd', suites: DOCKER },
  { package: 'runc', provides: '/usr/sbin/runc', suites: DOCKER },
  { package: 'containerd', provides: '/usr/bin/containerd', suites: [...DOCKER, 'probe-types/grpc'] },
  { package: 'iptables', provides: '/usr/sbin/iptables', suites: DOCKER },
  { package: 'busybox-static', provides: '/bin/busybox', suites: [...DOCKER, 'probe-types/icmp'] },
  {
    package: 'prometheus',
    provides: '/usr/bin/promtool',
    suites: [
      ...EVERY_TYPE,
      'metrics/exposition',
      'metrics/rules',
      'e2e/metrics*',
      'e2e/dashboard',
      'probe-types/prometheus',
      'blackbox/prometheus',
      'e2e/estate-monitoring',
    ],
  },
  {
    package: 'monitoring-plugins-basic',
    provides: '/usr/lib/nagios/plugins/check_http',
    suites: [...EVERY_TYPE, 'probe-types/exec'],
  },
  {
    package: 'dnsmasq-base',
    provides: '/usr/sbin/dnsmasq',
    suites: [
      ...EVERY_TYPE,
      'probe-types/http-names',
      'probe-types/tls',
      'probe-types/dns',
      'probe-types/grpc',
      'probe-types/udp',
    ],
  },
  {
    package: 'chromium',
    provides: '/usr/bin/chromium',
    suites: [...EVERY_TYPE, 'notifiers/email-look', 'probe-types/browser', ...SELENIUM],
  },
  { package: 'chromium-driver', provides: '/usr/bin/chromedriver', suites: SELENIUM },
  { package: 'openjdk-17-jre-headless', provides: '/usr/bin/java', suites: SELENIUM },
  {
    package: 'faketime',
    provides: '/usr/bin/faketime',
    suites: [...EVERY_TYPE, ...CERTIFICATES, 'e2e/reminders', 'e2e/alert-outage'],
  },
  { package: 'openssl', provides: '/usr/bin/openssl', suites: [...EVERY_TYPE, ...CERTIFICATES, 'action-types/sql'] },
  { package: 'unbound', provides: '/usr/sbin/unbound', suites: ['probe-types/dns', 'blackbox/*'] },
  {
    package: 'iputils-ping',
    provides: '/usr/bin/ping',
    suites: [
      ...EVERY_TYPE,
      'probe-types/icmp',
      'probe-types/route-options',
      'blackbox/exporter',
      'e2e/cuts',
      'e2e/estate-monitoring',
    ],
  },
  { package: 'iproute2', provides: '/usr/sbin/ip', suites: ['probe-types/icmp', 'e2e/cuts'] },
  { package: 'nftables', provides: '/usr/sbin/nft', suites: ['probe-types/icmp', 'e2e/cuts'] },
  { package: 'procps', provides: '/usr/bin/pgrep', suites: ['probe-types/process'] },
  {
    package: 'postgresql-15',
    provides: '/usr/lib/postgresql/15/bin/postgres',
    suites: [
      ...EVERY_TYPE,
      'probe-types/postgres*',
      'probe-types/recipes',
      ...POSTGRES,
      'e2e/store-away',
      'e2e/store-outages',
      'store/postgres*',
      'e2e/postgres*',
      'e2e/crash',
      'e2e/cluster*',
    ],
  },
  { package: 'openssh-server', provides: '/usr/sbin/sshd', suites: ['probe-types/recipes'] },
  { package: 'dovecot-imapd', provides: '/usr/lib/dovecot/imap', suites: ['probe-types/recipes'] },
  { package: 'dovecot-pop3d', provides: '/usr/lib/dovecot/pop3', suites: ['probe-types/recipes'] },
  { package: 'vsftpd', provides: '/usr/sbin/vsftpd', suites: ['probe-types/recipes'] },
  {
    package: 'redis-server',
    provides: '/usr/bin/redis-server',
    suites: ['probe-types/redis', 'e2e/estate-redis', 'action-types/redis', ...CELERY],
  },
  {
    package: 'python3-celery',
    provides: '/usr/lib/python3/dist-packages/celery/__init__.py',
    suites: CELERY,
  },
  {
    package: 'python3-redis',
    provides: '/usr/lib/python3/dist-packages/redis/__init__.py',
    suites: CELERY,
  },
  {
    package: 'mariadb-server',
    provides: '/usr/sbin/mariadbd',
    suites: [...EVERY_TYPE, 'probe-types/mysql', 'e2e/drivers'],
  },
  {
    package: 'nats-server',
    provides: '/usr/sbin/nats-server',
    suites: [...EVERY_TYPE, 'probe-types/nats', 'e2e/message-probes'],
  },
  {
    package: 'mosquitto',
    provides: '/usr/sbin/mosquitto',
    suites: [...EVERY_TYPE, 'probe-types/mqtt', 'e2e/message-probes'],
  },
  {
    package: 'mosquitto-clients',
    provides: '/usr/bin/mosquitto_pub',
    suites: [...EVERY_TYPE, 'probe-types/mqtt', 'e2e/message-probes'],
  },
  {
    package: 'rabbitmq-server',
    provides: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    suites: [...EVERY_TYPE, 'probe-types/rabbitmq', 'e2e/message-probes'],
  },
  {
    package: 'python3-amqp',
    provides: '/usr/lib/python3/dist-packages/amqp/__init__.py',
    suites: [...EVERY_TYPE, 'probe-types/rabbitmq', 'e2e/message-probes'],
  },
  { package: 'systemd-container', provides: '/usr/bin/systemd-nspawn', suites: SYSTEMD },
  { package: 'mmdebstrap', provides: '/usr/bin/mmdebstrap', suites: SYSTEMD },
  { package: 'supervisor', provides: '/usr/bin/supervisord', suites: SUPERVISOR },
  { package: 'tini', provides: '/usr/bin/tini', suites: ['deploy/image'] },
  {
    package: 'prometheus-blackbox-exporter',
    provides: '/usr/bin/prometheus-blackbox-exporter',
    suites: ['blackbox/exporter', 'probe-types/grpc'],
  },
  { package: 'strace', provides: '/usr/bin/strace', suites: ['e2e/store-disk'] },
];

export function missingParts(): readonly Part[] {
  return PARTS.filter(({ provides }) => !existsSync(provides));
}

/** One `apt-get install` of everything that is missing; nothing when all is there, or when we may not. */
export function installParts(): void {
  installPackages(missingParts().map((part) => part.package));
}

/** One `apt-get install`; nothing without names, or when we may not. */
export function installPackages(names: readonly string[]): void {
  if (names.length === 0 || process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return;
  console.log(`installing ${names.join(' ')}`);
  apt(['update']);
  apt(['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...names]);
}

function apt(args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stdout, stderr } = spawnSync('apt-get', ['-qq', ...args], { env, encoding: 'utf8' });
  // What is missing afterwards is named with its suites, so a failure here is reported but decides nothing by itself.
  if (status !== 0) console.error(`apt-get ${args[0]} failed:\n${stdout}${stderr}`);
}
