/** Scenes of databases, brokers and queues. */

import { createCelery } from '../celery.ts';
import { startMariadb } from '../mariadb.ts';
import { startMosquitto } from '../mosquitto.ts';
import { startNats } from '../nats.ts';
import { startPostgres } from '../postgres.ts';
import { startRabbitmq } from '../rabbitmq.ts';
import { startRedis } from '../redis.ts';
import type { SetScene } from './scenery.ts';

export const postgresScene: SetScene = async (later) => {
  const server = await startPostgres();
  later(server.stop);
  await server.createDatabase('shop');
  await server.psql('create role brainstem login; grant pg_monitor to brainstem');
  await server.psql('create table orders (created_at timestamptz)', 'shop');
  return { moved: [['127.0.0.1:5432', `127.0.0.1:${server.port}`]] };
};

export const mysqlScene: SetScene = async (later) => {
  const server = await startMariadb();
  later(server.stop);
  await server.sql(`create database shop; create table shop.orders (created_at datetime);
    insert into shop.orders values (now());
    create user brainstem@'127.0.0.1'; grant select on shop.* to brainstem@'127.0.0.1';`);
  return { moved: [['127.0.0.1:3306', `127.0.0.1:${server.port}`]] };
};

export const redisScene: SetScene = async (later) => {
  const server = await startRedis();
  later(server.stop);
  await server.cli('RPUSH', 'jobs', 'one', 'two');
  return { moved: [['127.0.0.1:6379', `127.0.0.1:${server.port}`]] };
};

/** Redis answers PING in a line, too. */
export const tcpScene: SetScene = async (later) => {
  const server = await startRedis();
  later(server.stop);
  return { moved: [['port: 6379', `port: ${server.port}`]] };
};

export const celeryScene: SetScene = async (later) => {
  const server = await startRedis();
  later(server.stop);
  const celery = await createCelery(`${server.url}/0`);
  later(celery.stop);
  await Promise.all([celery.worker('one@loop', 'celery'), celery.worker('two@loop', 'celery,mail')]);
  return { moved: [['127.0.0.1:6379', `127.0.0.1:${server.port}`]] };
};

export const mqttScene: SetScene = async (later) => {
  const server = await startMosquitto();
  later(server.stop);
  await server.retain('plant/line-1/temperature', '21.5');
  return { moved: [['127.0.0.1:1883', `127.0.0.1:${server.port}`]] };
};

export const natsScene: SetScene = async (later) => {
  const server = await startNats(['jetstream: { store_dir: "FOLDER/jetstream" }']);
  later(server.stop);
  const stream = { name: 'ORDERS', subjects: ['orders.>'], storage: 'memory' };
  await server.request('$JS.API.STREAM.CREATE.ORDERS', JSON.stringify(stream));
  const consumer = { stream_name: 'ORDERS', config: { durable_name: 'billing', ack_policy: 'explicit' } };
  await server.request('$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.billing', JSON.stringify(consumer));
  return { moved: [['127.0.0.1:4222', `127.0.0.1:${server.port}`]] };
};

export const rabbitmqScene: SetScene = async (later) => {
  const queues = ['jobs', 'mails'].map((name) => ({
    ...{ name, vhost: '/', durable: true, auto_delete: false, arguments: {} },
  }));
  const server = await startRabbitmq({ queues });
  later(server.stop);
  await server.consume('jobs');
  return { moved: [['127.0.0.1:5672', `127.0.0.1:${server.port}`]] };
};
