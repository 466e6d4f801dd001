import { z } from 'zod';
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { childEnvironment } from '../shared/child-environment.ts';
import { runChild } from '../shared/child-process.ts';
import { duration } from '../spec.ts';
import { formatDuration } from '../units.ts';
import { addressOf, asciiHost, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { Lifeline } from './lifeline.ts';
import { addressFamilies, phaseSeconds } from './network-families.ts';
import { ipField, phaseFields } from './network-fields.ts';
import { judgePing } from './ping-output.ts';
import { createResolver, type NameResolver } from './resolve.ts';

/** Shorter ones are for root alone. */
const SHORTEST_INTERVAL_MS = 200;

const icmpSpec = z.strictObject({
  host: z
    .string()
    .refine((host) => /^[^\s-][^\s]*$/.test(host), 'is not a name or an address')
    .describe('Name or address'),
  count: z.number().int().min(1).max(100).default(3).describe('How many echo requests to send'),
  interval: duration()
    .refine((everyMs) => everyMs >= SHORTEST_INTERVAL_MS, 'is shorter than 200ms')
    .prefault('200ms')
    .describe('Time from one request to the next, at least 200ms'),
  size: z
    .number()
    .int()
    .min(16)
    .max(65_507)
    .default(56)
    .describe('Bytes of data in each request; with fewer than 16 no time can be measured'),
  ttl: z.number().int().min(1).max(255).optional().describe('Hop limit of the requests. Default: that of the system'),
  dont_fragment: z.boolean().default(false).describe('Requests that are too large for a link are lost, not cut'),
  ...routeOptions,
});
type IcmpSpec = z.output<typeof icmpSpec>;

const icmpFields: FieldDeclarations = {
  packet_loss: { type: 'double', summary: 'Share of the requests that got no reply, 0 to 1' },
  sent: { type: 'double', summary: 'Requests sent' },
  received: { type: 'double', summary: 'Replies received, duplicates not counted' },
  rtt_min_ms: { type: 'double', unit: 'ms', summary: 'Shortest round trip; null without a reply' },
  rtt_avg_ms: { type: 'double', unit: 'ms', summary: 'Average round trip, which latency_ms shows too' },
  rtt_max_ms: { type: 'double', unit: 'ms', summary: 'Longest round trip' },
  span_ms: { type: 'double', unit: 'ms', summary: 'From the first request to the last one' },
  hop_limit: { type: 'double', summary: 'Hop limit (TTL) of the last reply' },
  phases: phaseFields({ resolve: 'Name resolution', processing: 'Requests and replies' }),
  setup_ms: {
    type: 'double',
    unit: 'ms',
    summary: 'What it took besides requests and replies: to start ping, above all',
  },
  ip: ipField,
};

/** A type with its own name cache. */
function createIcmp(resolver: NameResolver = createResolver()): ProbeType<typeof icmpSpec> {
  return {
    name: 'icmp',
    summary: 'A host that answers echo requests (ping): loss, round trips, hop limit',
    spec: icmpSpec,
    mainOption: 'host',
    example: `- name: gateway
  icmp: { host: 127.0.0.1, count: 5 }
  expect: [packet_loss < 0.5]
  warn: [packet_loss == 0, rtt_avg_ms < 20]
`,
    fields: icmpFields,
    families: [
      {
        name: 'probe_icmp_duration_seconds',
        help: 'Duration of each phase of an ICMP probe; rtt is the average round trip.',
        sample: (fields) => [
          { labels: { phase: 'resolve' }, value: phaseSeconds(fields, 'resolve_ms') },
          { labels: { phase: 'setup' }, value: Number(fields['setup_ms'] ?? 0) / 1_000 },
          { labels: { phase: 'rtt' }, value: Number(fields['rtt_avg_ms'] ?? 0) / 1_000 },
        ],
      },
      {
        name: 'probe_icmp_reply_hop_limit',
        help: 'Hop limit (TTL) of the last reply.',
        sample: ({ hop_limit: limit }) => (typeof limit === 'number' ? limit : undefined),
      },
      ...addressFamilies,
    ],
    target: ({ host }) => asciiHost(host),
    remote: ({ host }) => host,
    run: (spec, _input, context) => runIcmp(spec, resolver, context),
  };
}

export const icmp = createIcmp();

async function runIcmp(spec: IcmpSpec, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const phases = () => ({ resolve_ms: line.phases.resolve_ms, processing_ms: line.phases.processing_ms });
  try {
    const ip = await addressOf(asciiHost(spec.host), routeOf(spec), line, resolver);
    line.enter('processing');
    const output = await ping(spec, ip, line.remainingMs(), context);
    line.close();
    const setup = setupMs(line.phases.processing_ms, output.fields);
    return { ...output, fields: { ...output.fields, phases: phases(), setup_ms: setup, ip } };
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    line.close();
    return { reason: error.reason, fields: { phases: phases() }, error: error.message };
  } finally {
    line.close();
  }
}

/** undefined without a reply: what was waited for it is no part of it. */
function setupMs(processingMs: number, { rtt_avg_ms: trip, span_ms: span }: Fields): number | undefined {
  if (typeof trip !== 'number' || typeof span !== 'number') return undefined;
  return Math.max(0, processingMs - span - trip);
}

/** For ping to start, to be heard and to end. */
const MARGIN_MS = 250;
const SHORTEST_WAIT_MS = 50;

/** Without a reply ping waits for the last one as long as the deadline allows, so that it can still say what it saw. */
async function ping(spec: IcmpSpec, address: string, remainingMs: number, context: Context): Promise<ProbeOutput> {
  const busyMs = (spec.count - 1) * spec.interval + MARGIN_MS;
  if (busyMs + SHORTEST_WAIT_MS > context.timeoutMs) return tooShort(spec, busyMs + SHORTEST_WAIT_MS, context);
  const result = await runChild({
    argv: ['ping', ...optionsOf(spec, Math.max(SHORTEST_WAIT_MS, remainingMs - busyMs)), '--', address],
    cwd: '/',
    env: childEnvironment(context.environment ?? {}, { LC_ALL: 'C' }),
    signal: context.signal,
    graceMs: 0,
  });
  return judgePing(result);
}

/** The definition is wrong, not the host. */
function tooShort({ count, interval }: IcmpSpec, neededMs: number, { timeoutMs }: Context): ProbeOutput {
  const what = `${count} requests, one every ${formatDuration(interval)}`;
  const error = `${what}, take ${formatDuration(neededMs)}: more than the timeout of ${formatDuration(timeoutMs)}`;
  return { reason: 'internal', fields: {}, error };
}

function optionsOf(spec: IcmpSpec, waitMs: number): string[] {
  const { count, interval, size, ttl, dont_fragment: whole, source_address: source } = spec;
  const limit = [
    ...(ttl === undefined ? [] : ['-t', String(ttl)]),
    ...(whole ? ['-M', 'do'] : []),
    ...(source === undefined ? [] : ['-I', source]),
  ];
  return ['-n', '-c', String(count), '-i', seconds(interval), '-s', String(size), '-W', seconds(waitMs), ...limit];
}

function seconds(durationMs: number): string {
  return (durationMs / 1_000).toFixed(3);
}
