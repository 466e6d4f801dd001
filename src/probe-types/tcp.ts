/** Probe type `tcp`: a connection, plain or over TLS, and a dialogue over it. */
import type { Socket } from 'node:net';
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { asciiHost, type Endpoint, open, printEndpoint, routeOf, routeOptions } from './connection.ts';
import type { Lifeline } from './lifeline.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { connectionFields, createGuards, type Findings, type Guard, runOverConnection } from './server-run.ts';
import { createMemory, placeholders } from './step-memory.ts';
import { checkSteps, runSteps, type SpecWithSteps, type Step, secretsOption, stepsOption } from './steps.ts';
import { Ear, type Heard } from './tcp-dialogue.ts';
import { dialogueFamilies } from './tcp-families.ts';
import { type Dialogue, tcpVerbs } from './tcp-verbs.ts';

const port = z.number().int().min(1).max(65_535).describe('TCP port');

const tcpSpec = z
  .strictObject({
    host: z.string().min(1).optional().describe('Name or address'),
    port: port.optional(),
    address: z
      .string()
      .refine(isAddress, 'is not host:port')
      .optional()
      .describe('Instead of host and port: host:port'),
    tls: tlsOptions
      .optional()
      .describe('TLS from the first byte on, or from the step `starttls` on where there is one; {} takes the defaults'),
    steps: stepsOption(tcpVerbs).default([]).describe('The dialogue, in order: each step has one verb'),
    secrets: secretsOption().optional(),
    ...routeOptions,
  })
  .refine((spec) => (spec.address === undefined) === (spec.host !== undefined && spec.port !== undefined), {
    message: 'wants host and port, or address',
  })
  .refine(({ steps }) => steps.filter(startsTls).length < 2, {
    path: ['steps'],
    message: 'may have "starttls" once',
  })
  .superRefine(checkSteps(tcpVerbs))
  .superRefine(checkObserved);
type TcpSpec = z.output<typeof tcpSpec>;

function startsTls(step: Step): boolean {
  return step['starttls'] !== undefined;
}

/** What is observed is shown. */
function checkObserved({ steps = [], secrets = {} }: SpecWithSteps, context: z.RefinementCtx): void {
  for (const [index, { observe }] of steps.entries()) {
    for (const { name, path } of placeholders(observe)) {
      if (!Object.hasOwn(secrets, name)) continue;
      context.addIssue({
        code: 'custom',
        path: ['steps', index, 'observe', ...path],
        message: `may not show {{${name}}}`,
      });
    }
  }
}

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'The dialogue of the steps',
};

const tcpFields: FieldDeclarations = {
  banner: { type: 'string', summary: 'What the server sent, first 4 KiB; null without a step' },
  expect_failed: {
    type: 'bool',
    summary: 'The server closed the connection, or sent 16 KiB, without what was expected; null without a step',
  },
  observed: { type: 'map', summary: 'The texts of `observe` steps; null without one' },
  ...connectionFields(PHASES),
};

/** Without a step nothing is heard. */
const UNHEARD = { banner: undefined, expect_failed: undefined, observed: undefined };

interface Prepared {
  readonly spec: TcpSpec;
  readonly endpoint: Endpoint;
  /** undefined: without TLS. */
  readonly guard: Guard | undefined;
  readonly isPlainAtFirst: boolean;
  readonly patterns: Map<string, RE2JS>;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createTcp(resolver: NameResolver = createResolver()): ProbeType<typeof tcpSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: TcpSpec): Prepared => {
    const endpoint = endpointOf(spec);
    const upgrades = spec.steps.some(startsTls);
    const insecure = spec.tls?.insecure_skip_verify ?? false;
    const guard = spec.tls || upgrades ? createGuard(endpoint.host, spec.tls, insecure) : undefined;
    return { spec, endpoint, guard, isPlainAtFirst: upgrades || !guard, patterns: new Map() };
  });
  return {
    name: 'tcp',
    summary: 'A TCP port: that it answers, and that a dialogue over it goes as expected, over TLS where it must',
    spec: tcpSpec,
    mainOption: 'host',
    example: `- name: redis
  tcp:
    host: 127.0.0.1
    port: 6379
    steps:
      - send: "PING\\r\\n"
      - expect: ^\\+PONG
`,
    fields: tcpFields,
    families: [...addressFamilies, ...tlsFamilies, ...dialogueFamilies],
    target: (spec) => printEndpoint(endpointOf(spec)),
    remote: (spec) => endpointOf(spec).host,
    run: (spec, _input, context) => runTcp(prepare(spec), resolver, context),
  };
}

export const tcp = createTcp();

async function runTcp(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  return await runOverConnection(context, PHASES, async (line, findings) => {
    const { spec, endpoint, guard, isPlainAtFirst } = plan;
    const { seen } = findings;
    Object.assign(findings.fields, UNHEARD);
    const connection = await open(endpoint, routeOf(spec), line, resolver, seen);
    const now = context.clock.now();
    const secure = async (socket: Socket) => (guard ? await guard(socket, line, seen, now) : socket);
    const socket = isPlainAtFirst ? connection.socket : await secure(connection.socket);
    if (spec.steps.length > 0) await converse(plan, { socket, secure }, { line, findings, clock: context.clock });
  });
}

interface Run {
  readonly line: Lifeline;
  readonly findings: Findings;
  readonly clock: Context['clock'];
}

async function converse(
  { spec, patterns }: Prepared,
  connection: Pick<Dialogue, 'socket' | 'secure'>,
  { line, findings, clock }: Run,
): Promise<void> {
  line.enter('processing');
  const heard: Heard = { banner: undefined, isUnmet: false };
  const ear = new Ear(heard, line);
  ear.attach(connection.socket);
  const pattern = (source: string) => {
    const known = patterns.get(source) ?? RE2JS.compile(source, RE2JS.MULTILINE);
    patterns.set(source, known);
    return known;
  };
  const dialogue: Dialogue = { ...connection, ear, line, pattern, observed: undefined };
  try {
    await runSteps(spec.steps, tcpVerbs, dialogue, { clock, memory: createMemory(spec.secrets) });
  } finally {
    const { banner, isUnmet: expect_failed } = heard;
    Object.assign(findings.fields, { banner, expect_failed, observed: dialogue.observed });
  }
}

const ADDRESS = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/;

function isAddress(text: string): boolean {
  const number = Number(ADDRESS.exec(text)?.[3]);
  return number >= 1 && number <= 65_535;
}

function endpointOf(spec: TcpSpec): Endpoint {
  const match = ADDRESS.exec(spec.address ?? '');
  return { host: asciiHost(match?.[1] ?? match?.[2] ?? spec.host ?? ''), port: Number(match?.[3] ?? spec.port) };
}
