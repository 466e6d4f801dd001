/** As operators have it: the daemon watches real brokers by definitions in files, and says what became of them. */
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHome, type Daemon, type Home, startDaemon, until } from '../estate/daemon.ts';
import { type Mosquitto, startMosquitto } from '../estate/mosquitto.ts';
import { type NatsServer, startNats } from '../estate/nats.ts';
import { createIdentity } from '../estate/nats-identities.ts';
import { type RabbitmqServer, startRabbitmq } from '../estate/rabbitmq.ts';
import { serveWebsocket } from '../estate/websocket-server.ts';

const PASSWORD = ['correct', 'horse', 'battery'].join('-');

const PROBES = `
defaults: { every: 500ms, fail_after: 1, recover_after: 1 }
probes:
  - name: question
    udp: { host: 127.0.0.1, port: "\${UDP_PORT}", send_hex: "1b 00", expect: ^pong }
    expect: ['hex.startsWith("706f6e67")', answer_bytes == 4]
  - name: live
    websocket: { url: "\${WS_URL}", exchanges: [{ send: ping, expect: ^pong }] }
    expect: [status == 101, message == "pong ping", phases.processing_ms < 5000]
  - name: bus
    nats: { url: "\${NATS_URL}", nkey: "\${NATS_SEED}" }
    expect: [connected, lame_duck == false, max_payload_bytes >= 1024]
    export: [round_trip_ms]
  - name: plant
    mqtt: { url: "\${MQTT_URL}", topics: [plant/temperature], round_trip: probes/brainstem }
    expect: [double(value) < 80.0, 'double(values["plant/temperature"]) > 70.0']
    warn: [round_trip_ms < 5000]
  - name: jobs
    rabbitmq: { url: "\${RABBITMQ_URL}", queues: [jobs] }
    expect: ['queues["jobs"].depth == 3', consumers == 0, depth < 10]
    export: [depth]
  - name: jobs-watched
    rabbitmq: { url: "\${RABBITMQ_URL}", queues: [jobs] }
    expect: ['queues["jobs"].consumers >= 1']
`;

let nats: NatsServer;
let mosquitto: Mosquitto;
let rabbitmq: RabbitmqServer;
let home: Home;
let daemon: Daemon | undefined;
const identity = createIdentity('U');

beforeAll(async () => {
  const users = [{ name: 'probe', password: PASSWORD, tags: [] }];
  const permissions = [{ user: 'probe', vhost: '/', configure: '^$', write: '^$', read: '^$' }];
  const queues = [{ name: 'jobs', vhost: '/', durable: true, auto_delete: false, arguments: {} }];
  [nats, mosquitto, rabbitmq, home] = await Promise.all([
    startNats([`authorization: { users: [{ nkey: "${identity.publicKey}" }] }`]),
    startMosquitto({ users: { probe: PASSWORD } }),
    startRabbitmq({ users, permissions, queues }),
    createHome({ 'brainstem.yml': 'http: { listen: "${LISTEN}" }', 'probes/messages.yaml': PROBES }),
  ]);
  await rabbitmq.publish('jobs', 3);
}, 150_000);

afterAll(async () => {
  await daemon?.stop();
  await Promise.all([nats?.stop(), mosquitto?.stop(), rabbitmq?.stop(), home?.remove()]);
});

async function stateOf(probe: string): Promise<string> {
  return (await (daemon as Daemon).api<{ state: string }>(`probes/${probe}`)).state;
}

test('definitions of all five types hold, fail and recover with their servers', async () => {
  const websocket = await serveWebsocket((client) => client.on('message', (data) => client.send(`pong ${data}`)));
  const udp = createSocket('udp4');
  udp.on('message', (_question, { port, address }) => udp.send('pong', port, address));
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  const user = `probe:${PASSWORD}@127.0.0.1`;
  daemon = await startDaemon({
    home,
    environment: {
      UDP_PORT: String(udp.address().port),
      WS_URL: `ws://127.0.0.1:${websocket.port}/live`,
      NATS_URL: nats.url,
      NATS_SEED: identity.seed,
      MQTT_URL: `mqtt://${user}:${mosquitto.port}`,
      RABBITMQ_URL: `amqp://${user}:${rabbitmq.port}`,
    },
  });
  await mosquitto.retain('plant/temperature', '72.5', { user: 'probe', password: PASSWORD });
  for (const probe of ['question', 'live', 'bus', 'plant', 'jobs']) {
    await until(async () => (await stateOf(probe)) === 'up', { what: `${probe} to be up` });
  }
  // Nobody consumes them.
  await until(async () => (await stateOf('jobs-watched')) === 'down', { what: 'jobs-watched to be down' });

  const metrics = await (await daemon.fetch('/metrics')).text();
  expect(metrics).toMatch(/^probe_websocket_status_code\{.*probe="live".*\} 101$/m);
  expect(metrics).toMatch(/^brainstem_probe_field\{.*field="depth".*\} 3$/m);
  expect(metrics).toMatch(/instance="amqp:\/\/127\.0\.0\.1:\d+"/);

  await Promise.all([nats.kill(), mosquitto.kill()]);
  await new Promise<void>((resolve) => udp.close(resolve));
  for (const probe of ['bus', 'plant', 'question']) {
    await until(async () => (await stateOf(probe)) === 'down', { what: `${probe} to be down` });
  }
  await Promise.all([nats.start(), mosquitto.start()]);
  await until(async () => (await stateOf('bus')) === 'up', { what: 'bus to be up again' });

  const told = [
    metrics,
    daemon.output(),
    JSON.stringify(daemon.log),
    JSON.stringify(await daemon.api('probes')),
  ].join();
  expect(told).not.toContain(PASSWORD);
  expect(told).not.toContain(identity.seed);
  expect(await daemon.stop()).toBe(0);
});
