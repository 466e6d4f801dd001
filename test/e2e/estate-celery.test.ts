/** The estate's own definitions of Celery and of mail, on a real Redis, real workers and a real mail server. */
import { afterEach, expect, it } from 'vitest';
import { type CeleryApplication, createCelery } from '../estate/celery.ts';
import { until } from '../estate/daemon.ts';
import { isOver, untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { type MailServer, startMailServer } from '../estate/mail-server.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';

const LOGIN = { user: 'alerts', pass: ['mail', 'password'].join('-') };

let estate: OwnEstate | undefined;
let server: RedisServer | undefined;
let celery: CeleryApplication | undefined;
let mail: MailServer | undefined;

afterEach(async () => {
  await estate?.close();
  await celery?.stop();
  await server?.stop();
  await mail?.close();
});

it('workers and queues are up as they should be; one that grows, a worker that is gone and a login that is refused are incidents', {
  timeout: 240_000,
}, async () => {
  server = await startRedis();
  const broker = `redis://127.0.0.1:${server.port}/0`;
  celery = await createCelery(broker);
  mail = await startMailServer({ login: LOGIN });
  let worker = await celery.worker('w1');
  estate = await startOwnEstate({
    ...{ CELERY_BROKER_URL: broker, CELERY_QUEUES: 'celery,mail', CELERY_DEPTH_LIMIT: '5' },
    SMTP_URL: `smtp://${LOGIN.user}:${LOGIN.pass}@127.0.0.1:${mail.port}`,
    ...{ ALERT_FROM: 'alerts@example.com', ALERT_TO: 'oncall@example.com' },
  });
  const { daemon } = estate;
  await untilAllUp(daemon, ['celery-workers', 'celery-queues', 'mail']);

  await celery.send({ count: 10, queue: 'mail' });
  expect((await untilStory(daemon, 'celery-queues', 'open', () => true)).cause).toContain('depth');
  await worker.end('SIGKILL');
  const gone = await untilStory(daemon, 'celery-workers', 'open', ({ attempts }) => attempts.length > 0);
  expect(gone).toMatchObject({
    severity: 'critical',
    attempts: [{ remediation: 'restart-celery', refusal: 'unconfigured' }],
  });
  worker = await celery.worker('w2', 'celery,mail');
  await untilStory(daemon, 'celery-workers', 'over', isOver);
  await untilStory(daemon, 'celery-queues', 'over', isOver);

  mail.fail({ at: 'AUTH', code: 535, text: '5.7.8 no such login' });
  expect((await untilStory(daemon, 'mail', 'open', () => true)).cause).toContain('535');
});

it('a broker that answers with an error is an incident, and restarts no worker', { timeout: 120_000 }, async () => {
  server = await startRedis(['--enable-debug-command', 'local']);
  await server.load();
  estate = await startOwnEstate({ CELERY_BROKER_URL: `redis://127.0.0.1:${server.port}/0` });
  const { heard, daemon } = estate;
  await until(() => heard('celery-workers').includes('opened'), { what: 'people to hear of it', withinMs: 30_000 });
  const story = await untilStory(daemon, 'celery-workers', 'open', () => true);
  expect(story).toMatchObject({ cause: expect.stringContaining('LOADING'), attempts: [] });
  await server.kill();
});
