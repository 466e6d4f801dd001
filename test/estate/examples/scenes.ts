/** The scene of each probe type's example, by its type. */
import * as machine from './machine-scenes.ts';
import * as network from './network-scenes.ts';
import type { SetScene } from './scenery.ts';
import * as stores from './store-scenes.ts';
import * as web from './web-scenes.ts';

export const scenes: Readonly<Record<string, SetScene>> = {
  browser: web.browserScene,
  celery: stores.celeryScene,
  credential: web.credentialScene,
  custom: machine.customScene,
  dns: network.dnsScene,
  docker: machine.dockerScene,
  environment: machine.environmentScene,
  exec: machine.asItIs,
  grpc: web.grpcScene,
  heartbeat: machine.asItIs,
  host: machine.asItIs,
  http: web.httpScene,
  icmp: machine.asItIs,
  mqtt: stores.mqttScene,
  mysql: stores.mysqlScene,
  nats: stores.natsScene,
  postgres: stores.postgresScene,
  process: machine.processScene,
  prometheus: web.prometheusScene,
  group: network.groupScene,
  rabbitmq: stores.rabbitmqScene,
  redis: stores.redisScene,
  'selenium-grid': web.seleniumGridScene,
  smtp: network.smtpScene,
  statuspage: web.statuspageScene,
  supervisor: machine.supervisorScene,
  systemd: machine.systemdScene,
  tcp: stores.tcpScene,
  tls: network.tlsScene,
  udp: network.udpScene,
  websocket: web.websocketScene,
};
