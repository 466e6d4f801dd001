/** Prober `tcp`: a connection, with TLS or without, and lines that are expected and sent. */
import { z } from 'zod';
import { familyOptions, pattern, routeSpec, sourceOption, splitHostPort, tlsConfig } from './options.ts';
import type { Prober } from './prober.ts';

const step = z.strictObject({
  expect: pattern().optional(),
  send: z.string().optional(),
});

const options = z.strictObject({
  query_response: z.array(step).max(25).default([]),
  tls: z.boolean().default(false),
  tls_config: tlsConfig,
  ...familyOptions,
  ...sourceOption,
});
type TcpOptions = z.output<typeof options>;

export const tcp: Prober<TcpOptions> = {
  type: 'tcp',
  options,
  translate: (given) => ({
    checks: [],
    specFor(target) {
      if (!splitHostPort(target)) return { fault: 'the target is not host:port' };
      return { spec: { address: target, steps: given.query_response.flatMap(stepsOf), ...routeSpec(given) } };
    },
  }),
};

/** What is sent ends in a line feed, which the exporter adds. */
function stepsOf({ expect, send }: z.output<typeof step>) {
  return [...(expect ? [{ expect }] : []), ...(send ? [{ send: `${send}\n` }] : [])];
}
