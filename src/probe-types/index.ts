/** Every probe type by its key in YAML. Adding one is a file beside this one and a line here. */
import type { ProbeTypes } from '../ports.ts';
import { createCustomProbeType } from './custom.ts';
import { createDockerProbeType } from './docker.ts';
import { exec } from './exec.ts';
import { createHeartbeatProbeType } from './heartbeat.ts';
import { createHostProbeType } from './host.ts';
import { http } from './http.ts';
import { tcp } from './tcp.ts';

export const probeTypes: ProbeTypes = {
  custom: createCustomProbeType(),
  docker: createDockerProbeType(),
  exec,
  heartbeat: createHeartbeatProbeType(),
  host: createHostProbeType(),
  http,
  tcp,
};
