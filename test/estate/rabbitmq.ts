/**
 * A real RabbitMQ 3 of a test's own, on free ports of loopback, with its own port mapper (epmd): everything that they made
 * is gone after `stop`. Without plugins.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { accepts, type ServerProcess, serverProcess } from './server-process.ts';

const runFile = promisify(execFile);
/** Without Debian's wrapper, which writes to places of the system. */
const SCRIPT = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const PYTHON = '/usr/bin/python3';
const START_MS = 120_000;

export interface RabbitmqServer {
  readonly port: number;
  /** `amqp://127.0.0.1:PORT`. */
  readonly url: string;
  /** Publishes empty messages to a queue of the virtual host `/`, and waits until they are there. */
  publish(queue: string, count: number): Promise<void>;
  /** Consumes a queue of the virtual host `/` until the consumer is ended. */
  consume(queue: string): Promise<{ end(): Promise<void> }>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/**
 * @param definitions users, virtual hosts, queues … as RabbitMQ exports them; `guest` and `/` are there anyway.
 * @param settings lines of rabbitmq.conf.
 */
export async function startRabbitmq(
  definitions: Readonly<Record<string, readonly unknown[]>>,
  settings: readonly string[] = [],
): Promise<RabbitmqServer> {
  const folder = await mkdtemp(join(tmpdir(), 'rabbitmq-'));
  const [port, mapperPort, distributionPort] = [await freePort(), await freePort(), await freePort()];
  await writeFile(join(folder, 'definitions.json'), JSON.stringify(withGuest(definitions)));
  await writeFile(join(folder, 'plugins'), '[].');
  await writeFile(
    join(folder, 'rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      `load_definitions = ${join(folder, 'definitions.json')}`,
      'disk_free_limit.absolute = 1MB',
      ...settings,
      '',
    ].join('\n'),
  );
  const mapper = serverProcess({
    command: 'epmd',
    arguments: ['-address', '127.0.0.1', '-port', String(mapperPort)],
    ready: () => accepts(mapperPort),
  });
  const broker = serverProcess({
    command: SCRIPT,
    arguments: [],
    environment: environmentOf(folder, mapperPort, distributionPort),
    ready: () => accepts(port),
    startMs: START_MS,
  });
  const server = handle(folder, port, broker, mapper);
  try {
    await mapper.start();
    await broker.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function handle(folder: string, port: number, broker: ServerProcess, mapper: ServerProcess): RabbitmqServer {
  const consumers = new Set<ChildProcess>();
  return {
    port,
    url: `amqp://127.0.0.1:${port}`,
    async publish(queue, count) {
      await runFile(PYTHON, ['-c', PUBLISH, String(port), queue, String(count)]);
    },
    async consume(queue) {
      const child = spawn(PYTHON, ['-c', CONSUME, String(port), queue], { stdio: ['ignore', 'pipe', 'inherit'] });
      consumers.add(child);
      await once(child.stdout, 'data');
      return { end: () => ended(child) };
    },
    start: () => broker.start(),
    kill: () => broker.end('SIGKILL'),
    pause: () => broker.signal('SIGSTOP'),
    resume: () => broker.signal('SIGCONT'),
    async stop() {
      for (const child of consumers) await ended(child);
      await broker.end('SIGKILL');
      await mapper.end('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function withGuest(definitions: Readonly<Record<string, readonly unknown[]>>) {
  const { users = [], vhosts = [], permissions = [], ...others } = definitions;
  return {
    ...others,
    users: [{ name: 'guest', password: 'guest', tags: ['administrator'] }, ...users],
    vhosts: [{ name: '/' }, ...vhosts],
    permissions: [{ user: 'guest', vhost: '/', configure: '.*', write: '.*', read: '.*' }, ...permissions],
  };
}

function environmentOf(folder: string, mapperPort: number, distributionPort: number): Record<string, string> {
  return {
    HOME: folder,
    // The script then becomes the broker, instead of starting one and waiting for it.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: `probed-${distributionPort}@localhost`,
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'config'),
    RABBITMQ_SCHEMA_DIR: join(folder, 'schema'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_PLUGINS_EXPAND_DIR: join(folder, 'expanded'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_DIST_PORT: String(distributionPort),
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  };
}

const CONNECT = `
import sys, amqp
connection = amqp.Connection(host='127.0.0.1:' + sys.argv[1])
connection.connect()
channel = connection.channel()
`;

const PUBLISH = `${CONNECT}
channel.confirm_select()
for _ in range(int(sys.argv[3])):
    channel.basic_publish_confirm(amqp.Message(''), routing_key=sys.argv[2])
connection.close()
`;

const CONSUME = `${CONNECT}
channel.basic_consume(sys.argv[2], callback=lambda message: None)
print('consuming', flush=True)
while True:
    connection.drain_events()
`;
