/** Probe type `mqtt`: a login at a broker, what stands on topics, and a message that comes back. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import type { ServerUrl } from '../shared/server-url.ts';
import { routeOf, routeOptions } from './connection.ts';
import type { Level, Login } from './mqtt-packets.ts';
import { MqttSession } from './mqtt-session.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { type Access, acceptedServer, printServer, reach, serverUrl } from './server-access.ts';
import { connectionFields, createGuards, DATABASE_PHASES, runOverConnection } from './server-run.ts';
import { Wire } from './wire.ts';

const SCHEMES = { mqtt: 1_883, mqtts: 8_883 };
const MAX_TOPICS = 50;

/** Where Mosquitto publishes its figures, and who follows it. */
const STATISTICS = {
  depth: '$SYS/broker/store/messages/count',
  consumers: '$SYS/broker/clients/connected',
  version: '$SYS/broker/version',
} as const;

/** Of one text in a packet (OASIS mqtt-v3.1.1-os, 1.5.3). */
const MAX_TEXT_BYTES = 65_535;
const TOO_LONG = `is longer than ${MAX_TEXT_BYTES} bytes`;
const fits = (text: string) => Buffer.byteLength(text) <= MAX_TEXT_BYTES;

/** A name, and no filter: each has one value. */
const topic = z
  .string()
  .regex(/^[^+#\0]+$/, 'is not the name of a topic: it has a wildcard, or is empty')
  .refine(fits, TOO_LONG);

const mqttSpec = z
  .strictObject({
    url: serverUrl(SCHEMES, 'mqtt://USER:PASSWORD@HOST:PORT', urlProblem).describe(
      'mqtt://USER:PASSWORD@HOST:PORT, or mqtts:// for TLS',
    ),
    topics: z
      .array(topic)
      .max(MAX_TOPICS)
      .default([])
      .describe(
        'Topics whose message is awaited and observed, retained or new; one without any until the deadline fails',
      ),
    round_trip: topic
      .refine((name) => !name.startsWith('$'), 'begins with $, where nobody may publish')
      .optional()
      .describe('Topic to which a message is published, which has to come back. It is not retained'),
    statistics: z
      .boolean()
      .default(false)
      .describe("Await the broker's own figures below $SYS, as Mosquitto publishes them: depth, consumers, version"),
    client_id: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Default: another one each run. A broker ends the older of two sessions with the same one'),
    protocol: z.enum(['3.1.1', '5.0']).default('3.1.1').describe('Version of MQTT to speak'),
    tls: tlsOptions.optional().describe('Client certificate, authorities, server name; needs mqtts://'),
    ...routeOptions,
  })
  .refine(({ url, tls }) => tls === undefined || /^mqtts:/i.test(url), {
    path: ['tls'],
    message: 'needs a URL that starts with mqtts://',
  });
type MqttSpec = z.output<typeof mqttSpec>;

const mqttFields: FieldDeclarations = {
  connected: { type: 'bool', summary: 'The broker accepted the login' },
  value: { type: 'string', summary: 'The message on the first of the `topics`: double(value) makes it a number' },
  values: { type: 'map', summary: 'The message on each of the `topics`, first 64 KiB, by name of the topic' },
  round_trip_ms: {
    type: 'double',
    unit: 'ms',
    summary: 'Message published until it came back; null without round_trip',
  },
  depth: {
    type: 'double',
    summary: 'With statistics: messages that the broker holds, retained ones and those for clients that are away',
  },
  consumers: { type: 'double', summary: 'With statistics: clients that are connected, as the broker last counted' },
  version: { type: 'string', summary: 'With statistics: version of the broker' },
};

interface Prepared {
  readonly spec: MqttSpec;
  readonly access: Access;
  readonly level: Level;
  /** All that have to be heard from. */
  readonly awaited: readonly string[];
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createMqtt(resolver: NameResolver = createResolver()): ProbeType<typeof mqttSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: MqttSpec): Prepared => {
    const server = acceptedServer(spec.url, SCHEMES);
    const insecure = spec.tls?.insecure_skip_verify ?? false;
    const guard = server.scheme === 'mqtts' ? createGuard(server.host, spec.tls, insecure) : undefined;
    return {
      spec,
      access: { server, route: routeOf(spec), guard },
      level: spec.protocol === '5.0' ? 5 : 4,
      awaited: [...new Set([...spec.topics, ...(spec.statistics ? Object.values(STATISTICS) : [])])],
    };
  });
  return {
    name: 'mqtt',
    summary: 'An MQTT broker: that it accepts a login, delivers a message, and what stands on topics',
    spec: mqttSpec,
    mainOption: 'url',
    example: `- name: broker
  mqtt:
    url: "mqtt://127.0.0.1:1883"
    round_trip: probes/brainstem
    topics: [plant/line-1/temperature]
  expect:
    - double(value) < 80.0
  warn:
    - round_trip_ms < 100
`,
    fields: { ...mqttFields, ...connectionFields(DATABASE_PHASES) },
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ url }) => printServer(acceptedServer(url, SCHEMES)),
    remote: ({ url }) => acceptedServer(url, SCHEMES).host,
    run: (spec, _input, context) => runMqtt(prepare(spec), resolver, context),
  };
}

export const mqtt = createMqtt();

async function runMqtt(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const { spec, access, level, awaited } = plan;
  const { clock } = context;
  return await runOverConnection(context, DATABASE_PHASES, async (line, { seen, fields }) => {
    fields['connected'] = false;
    const socket = await reach(access, resolver, clock.now(), line, seen);
    const session = new MqttSession(new Wire(socket, line, 'MQTT'), level);
    await session.logIn(loginOf(plan, context.timeoutMs));
    fields['connected'] = true;
    const heard = new Set([...awaited, ...(spec.round_trip === undefined ? [] : [spec.round_trip])]);
    if (heard.size > 0) await session.subscribe([...heard]);
    Object.assign(fields, toFields(spec, await session.gather(awaited)));
    if (spec.round_trip !== undefined) {
      const publishedAt = clock.monotonic();
      await session.roundTrip(spec.round_trip);
      fields['round_trip_ms'] = clock.monotonic() - publishedAt;
    }
    session.leave();
  });
}

function toFields({ topics, statistics }: MqttSpec, messages: ReadonlyMap<string, string>): Record<string, unknown> {
  const [first = ''] = topics;
  return {
    value: messages.get(first),
    values: Object.fromEntries(topics.map((name) => [name, messages.get(name)])),
    ...(statistics && {
      depth: numberOf(messages.get(STATISTICS.depth)),
      consumers: numberOf(messages.get(STATISTICS.consumers)),
      version: messages.get(STATISTICS.version),
    }),
  };
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

function loginOf({ spec, access }: Prepared, timeoutMs: number): Login {
  return {
    clientId: spec.client_id ?? `brainstem-${randomBytes(6).toString('hex')}`,
    user: access.server.user,
    password: access.server.password,
    // We send nothing while we wait.
    keepAliveS: Math.min(65_535, Math.ceil(timeoutMs / 1_000) + 10),
  };
}

function urlProblem({ path, user, password }: ServerUrl): string | undefined {
  if (path !== '') return 'has a path; topics are options';
  if (user === '' && password !== '') return 'has a password without a user';
  if (!fits(user) || !fits(password)) return `has a user or password that ${TOO_LONG}`;
  return undefined;
}
