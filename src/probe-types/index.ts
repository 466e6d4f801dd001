/** Every probe type by its key in YAML. Adding one is a file beside this one and a line here. */
import type { ProbeTypes } from '../ports.ts';
import { createCustomProbeType } from './custom.ts';
import { dns } from './dns.ts';
import { createDockerProbeType } from './docker.ts';
import { exec } from './exec.ts';
import { createHeartbeatProbeType } from './heartbeat.ts';
import { createHostProbeType } from './host.ts';
import { http } from './http.ts';
import { icmp } from './icmp.ts';
import { postgres } from './postgres.ts';
import { createProcessProbeType } from './process.ts';
import { prometheus } from './prometheus.ts';
import { quorum } from './quorum.ts';
import { redis } from './redis.ts';
import { statuspage } from './statuspage.ts';
import { supervisor } from './supervisor.ts';
import { createSystemdProbeType } from './systemd.ts';
import { tcp } from './tcp.ts';
import { tls } from './tls.ts';

export const probeTypes: ProbeTypes = {
  dns,
  custom: createCustomProbeType(),
  docker: createDockerProbeType(),
  exec,
  heartbeat: createHeartbeatProbeType(),
  host: createHostProbeType(),
  http,
  icmp,
  process: createProcessProbeType(),
  postgres,
  prometheus,
  quorum,
  redis,
  statuspage,
  supervisor,
  systemd: createSystemdProbeType(),
  tcp,
  tls,
};
