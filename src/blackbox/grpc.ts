/** Prober `grpc`: the health checking protocol. */
import { z } from 'zod';
import { familyOptions, routeSpec, tlsConfig, tlsSpec } from './options.ts';
import type { Prober } from './prober.ts';

const options = z.strictObject({
  service: z.string().default('').describe('Default: the server as a whole'),
  tls: z.boolean().default(false),
  tls_config: tlsConfig,
  ...familyOptions,
});
type GrpcOptions = z.output<typeof options>;

export const grpc: Prober<GrpcOptions> = {
  type: 'grpc',
  sample: '127.0.0.1:1',
  options,
  translate: (given, files) => ({
    checks: [],
    specFor(target) {
      const { host } = /^(?:https?:\/\/)?(?<host>[^/]*)/.exec(target)?.groups ?? {};
      return {
        spec: {
          address: withPort(host ?? '', given.tls ? 443 : 80),
          service: given.service,
          tls: given.tls && tlsSpec(given.tls_config, files),
          ...routeSpec(given),
        },
      };
    },
  }),
};

function withPort(host: string, port: number): string {
  return /:\d+$/.test(host) && !/^[^[]*:.*:/.test(host) ? host : `${host}:${port}`;
}
