/** Probes that speak the protocol of what they watch, as a person runs them: definitions in files, addresses in the environment. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CeleryApplication, createCelery } from '../estate/celery.ts';
import { createHome, type Home } from '../estate/daemon.ts';
import { startGrpcServer } from '../estate/grpc-server.ts';
import { serveHttp, sleep } from '../estate/hostile-network.ts';
import { startMailServer } from '../estate/mail-server.ts';
import { type MariadbServer, startMariadb } from '../estate/mariadb.ts';
import { brainstem } from '../estate/program.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';
import type { ServerProcess } from '../estate/server-process.ts';

const PASSWORD = ['correct', 'horse', 'battery'].join('-');

const PROBES = `
probes:
  - name: tasks
    timeout: 5s
    celery: { broker: "\${BROKER}", queues: [celery, mail], expect_workers: [w1@loop] }
    expect: [queues.mail < 3, '"w1@loop" in worker_names']
    warn: [depth < 100, oldest_unacked_s == null || oldest_unacked_s < 60]
  - name: shop
    mysql: { url: "\${MYSQL_URL}", query: select count(*) as n from orders }
    expect: [value == 2, 'rows[0].n > 1', connections_percent < 50, replication_lag_s == null]
  - name: orders
    grpc: { address: "\${GRPC_ADDRESS}", metadata: { authorization: "Bearer \${GRPC_TOKEN}" } }
    expect: [status == 0, serving_status == "SERVING"]
  - name: mail
    smtp: { url: "\${SMTP_URL}", mail: { from: a@example.com, to: b@example.com } }
    expect: [accepted, 'capabilities.exists(c, c.startsWith("SIZE") || c == "8BITMIME")']
  - name: grid
    selenium-grid: { url: "\${SELENIUM_URL}" }
    expect: [nodes >= 1, slots_free > 0]
    warn: [queue == null || queue < 5]
`;

let home: Home;
beforeAll(async () => {
  home = await createHome({ 'probes/all.yaml': PROBES });
});
afterAll(() => home.remove());

const run = (probe: string, environment: Readonly<Record<string, string>>) =>
  brainstem(['probe', probe, '--home', home.path], environment);

describe('celery', () => {
  let redis: RedisServer;
  let application: CeleryApplication;
  let worker: ServerProcess;
  beforeAll(async () => {
    redis = await startRedis();
    application = await createCelery(redis.url);
    worker = await application.worker('w1@loop');
  });
  afterAll(async () => {
    await application.stop();
    await redis.stop();
  });

  test('is up, is down for a queue that grows, and for a worker that was killed', async () => {
    expect(await run('tasks', { BROKER: redis.url })).toMatchObject({ code: 0, out: expect.stringContaining('UP') });
    await application.send({ queue: 'mail', count: 5 });
    expect(await run('tasks', { BROKER: redis.url })).toMatchObject({
      code: 1,
      out: expect.stringMatching(/DOWN {2}condition[\s\S]*queues\.mail < 3/),
    });
    await redis.cli('DEL', 'mail');
    await worker.end('SIGKILL');
    while ((await redis.cli('PUBSUB', 'NUMPAT')) !== '0') await sleep(50);
    expect(await run('tasks', { BROKER: redis.url })).toMatchObject({
      code: 1,
      out: expect.stringMatching(/DOWN {2}unhealthy[\s\S]*no answer from w1@loop/),
    });
  });
});

describe('mysql', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await startMariadb();
    await server.sql(`create database shop; create table shop.orders (id int); insert into shop.orders values (1), (2);
      create user probe@'127.0.0.1' identified by '${PASSWORD}'; grant select on shop.* to probe@'127.0.0.1';
      grant slave monitor on *.* to probe@'127.0.0.1'`);
  });
  afterAll(() => server.stop());

  test('is up, and tells no password when it is not', async () => {
    const url = server.url('shop', `probe:${PASSWORD}`);
    expect(await run('shop', { MYSQL_URL: url })).toMatchObject({ code: 0, out: expect.stringContaining('UP') });
    await server.sql('delete from shop.orders where id = 2');
    expect((await run('shop', { MYSQL_URL: url })).out).toMatch(/DOWN {2}condition[\s\S]*value == 2/);
    const wrong = await run('shop', { MYSQL_URL: server.url('shop', `probe:not-${PASSWORD}`) });
    expect(wrong).toMatchObject({ code: 1, out: expect.stringContaining('DOWN  auth') });
    expect(wrong.out + wrong.err).not.toContain(PASSWORD);
  });
});

test('grpc is up, and down when it says so', async () => {
  let serving = true;
  const server = await startGrpcServer(() => (serving ? 'SERVING' : 'NOT_SERVING'));
  const environment = { GRPC_ADDRESS: `127.0.0.1:${server.port}`, GRPC_TOKEN: PASSWORD };
  expect(await run('orders', environment)).toMatchObject({ code: 0, out: expect.stringContaining('UP') });
  expect(server.asked[0]?.metadata).toMatchObject({ authorization: `Bearer ${PASSWORD}` });
  serving = false;
  expect((await run('orders', environment)).out).toMatch(/DOWN {2}unhealthy[\s\S]*NOT_SERVING/);
});

test('smtp is up, and down when the mail is refused', async () => {
  const server = await startMailServer();
  onTestFinished(() => server.close());
  const environment = { SMTP_URL: `smtp://127.0.0.1:${server.port}` };
  expect(await run('mail', environment)).toMatchObject({ code: 0, out: expect.stringContaining('UP') });
  server.fail({ at: 'RCPT', code: 550, text: '5.1.1 nobody' });
  expect((await run('mail', environment)).out).toMatch(/DOWN {2}not_found[\s\S]*5\.1\.1 nobody/);
});

test('selenium-grid is up, and degraded when many wait', async () => {
  let queue = 0;
  const node = { availability: 'UP', version: '4.48.0', slots: [{ session: null }] };
  const { port } = await serveHttp((request, response) => {
    const isStatus = request.url === '/status';
    const status = { value: { ready: true, message: '', nodes: [node] } };
    response.end(JSON.stringify(isStatus ? status : { data: { grid: { sessionQueueSize: queue } } }));
  });
  const environment = { SELENIUM_URL: `http://127.0.0.1:${port}` };
  expect(await run('grid', environment)).toMatchObject({ code: 0, out: expect.stringContaining('UP') });
  queue = 9;
  expect(await run('grid', environment)).toMatchObject({ code: 0, out: expect.stringContaining('DEGRADED') });
});
