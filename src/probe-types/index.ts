/** Every probe type by its key in YAML. Adding one is a file beside this one and a line here. */
import type { ProbeTypes } from '../ports.ts';
import { createBrowserProbeType } from './browser.ts';
import { celery } from './celery.ts';
import { credential } from './credential.ts';
import { createCustomProbeType } from './custom.ts';
import { dns } from './dns.ts';
import { createDockerProbeType } from './docker.ts';
import { environment } from './environment.ts';
import { exec } from './exec.ts';
import { group } from './group.ts';
import { grpc } from './grpc.ts';
import { createHeartbeatProbeType } from './heartbeat.ts';
import { createHostProbeType } from './host.ts';
import { http } from './http.ts';
import { icmp } from './icmp.ts';
import { mqtt } from './mqtt.ts';
import { mysql } from './mysql.ts';
import { nats } from './nats.ts';
import { postgres } from './postgres.ts';
import { createProcessProbeType } from './process.ts';
import { prometheus } from './prometheus.ts';
import { rabbitmq } from './rabbitmq.ts';
import { redis } from './redis.ts';
import { seleniumGrid } from './selenium-grid.ts';
import { smtp } from './smtp.ts';
import { statuspage } from './statuspage.ts';
import { supervisor } from './supervisor.ts';
import { createSystemdProbeType } from './systemd.ts';
import { tcp } from './tcp.ts';
import { tls } from './tls.ts';
import { udp } from './udp.ts';
import { websocket } from './websocket.ts';

export const probeTypes: ProbeTypes = {
  browser: createBrowserProbeType(),
  credential,
  celery,
  dns,
  custom: createCustomProbeType(),
  docker: createDockerProbeType(),
  environment,
  exec,
  group,
  grpc,
  heartbeat: createHeartbeatProbeType(),
  host: createHostProbeType(),
  http,
  icmp,
  mysql,
  mqtt,
  nats,
  process: createProcessProbeType(),
  postgres,
  prometheus,
  rabbitmq,
  redis,
  'selenium-grid': seleniumGrid,
  smtp,
  statuspage,
  supervisor,
  systemd: createSystemdProbeType(),
  tcp,
  tls,
  udp,
  websocket,
};
