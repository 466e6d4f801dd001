/** Every prober of blackbox.yml by its name, and what a module holds. */
import { z } from 'zod';
import { duration } from '../spec.ts';
import { dns } from './dns.ts';
import { grpc } from './grpc.ts';
import { http } from './http.ts';
import { icmp } from './icmp.ts';
import type { Prober } from './prober.ts';
import { tcp } from './tcp.ts';

export const probers = { http, tcp, dns, icmp, grpc } as const;
export type ProberName = keyof typeof probers;

const PROBER_NAMES = Object.keys(probers) as [ProberName, ...ProberName[]];

/** A module, without its section of the prober's options: that is checked by the prober's own schema. */
export const moduleSchema = z.strictObject({
  prober: z.enum(PROBER_NAMES),
  timeout: duration().optional().describe('Default: what Prometheus allows'),
  ...(Object.fromEntries(PROBER_NAMES.map((name) => [name, z.unknown().optional()])) as Record<
    ProberName,
    z.ZodOptional<z.ZodUnknown>
  >),
});

/** The options of each prober are a type of their own; whoever reads a module has checked them against `options`. */
export function proberOf(name: ProberName): Prober {
  return probers[name] as Prober;
}

/** Modules of a home without a blackbox.yml, as the exporter ships them. */
export const DEFAULT_MODULES = `modules:
  http_2xx: { prober: http }
  http_post_2xx: { prober: http, http: { method: POST } }
  tcp_connect: { prober: tcp }
  icmp: { prober: icmp }
  grpc: { prober: grpc, grpc: { tls: true } }
`;
