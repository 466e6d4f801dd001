/** Prober `icmp`: one echo request. */
import { z } from 'zod';
import { familyOptions, routeSpec, sourceOption } from './options.ts';
import type { Prober } from './prober.ts';

/** What the exporter sends when nothing is said. */
const DEFAULT_BYTES = 28;

const options = z.strictObject({
  payload_size: z
    .number()
    .int()
    .min(0)
    .max(65_507)
    .refine((size) => size === 0 || size >= 16, 'below 16 is not supported by Brainstem: no time could be measured')
    .default(0),
  dont_fragment: z.boolean().default(false),
  ttl: z.number().int().min(0).max(255).default(0),
  ...familyOptions,
  ...sourceOption,
});
type IcmpOptions = z.output<typeof options>;

export const icmp: Prober<IcmpOptions> = {
  type: 'icmp',
  sample: '127.0.0.1',
  options,
  translate: (given) => ({
    checks: [],
    specFor: (target) => ({
      spec: {
        host: target,
        count: 1,
        size: given.payload_size || DEFAULT_BYTES,
        ...(given.ttl > 0 && { ttl: given.ttl }),
        ...(given.dont_fragment && { dont_fragment: true }),
        ...routeSpec(given),
      },
    }),
  }),
};
