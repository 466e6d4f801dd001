/** Every probe type by its key in YAML. Adding one is a file beside this one and a line here. */
import type { ProbeTypes } from '../ports.ts';
import { celery } from './celery.ts';
import { createCustomProbeType } from './custom.ts';
import { dns } from './dns.ts';
import { createDockerProbeType } from './docker.ts';
import { exec } from './exec.ts';
import { grpc } from './grpc.ts';
import { createHeartbeatProbeType } from './heartbeat.ts';
import { createHostProbeType } from './host.ts';
import { http } from './http.ts';
import { icmp } from './icmp.ts';
import { mysql } from './mysql.ts';
import { postgres } from './postgres.ts';
import { createProcessProbeType } from './process.ts';
import { prometheus } from './prometheus.ts';
import { redis } from './redis.ts';
import { seleniumGrid } from './selenium-grid.ts';
import { smtp } from './smtp.ts';
import { tcp } from './tcp.ts';
import { tls } from './tls.ts';

export const probeTypes: ProbeTypes = {
  celery,
  dns,
  custom: createCustomProbeType(),
  docker: createDockerProbeType(),
  exec,
  grpc,
  heartbeat: createHeartbeatProbeType(),
  host: createHostProbeType(),
  http,
  icmp,
  mysql,
  process: createProcessProbeType(),
  postgres,
  prometheus,
  redis,
  'selenium-grid': seleniumGrid,
  smtp,
  tcp,
  tls,
};
