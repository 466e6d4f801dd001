/** Probe type `udp`: a question in one datagram, and the answer to it. */
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { asciiHost, type Endpoint, printEndpoint, routeOf, routeOptions } from './connection.ts';
import { openDatagram } from './datagram.ts';
import { ProbeFailure } from './failure.ts';
import { compilePattern, Inbox, PATTERN_FLAGS, type Pattern } from './inbox.ts';
import { Lifeline } from './lifeline.ts';
import { addressFamilies } from './network-families.ts';
import { ipField, phaseFields } from './network-fields.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { checkPattern } from './pattern.ts';
import { createResolver, type NameResolver } from './resolve.ts';

/** Of an answer that is observed. */
const MAX_BANNER_BYTES = 4 * 2 ** 10;
/** A larger question has to be cut on its way, and is often lost. */
const MAX_QUESTION_BYTES = 8 * 2 ** 10;

interface Question {
  readonly send?: string | undefined;
  readonly send_hex?: string | undefined;
}

const udpSpec = z
  .strictObject({
    host: z.string().min(1).describe('Name or address'),
    port: z.number().int().min(1).max(65_535).describe('UDP port'),
    send: z.string().min(1).optional().describe('The question as text, sent as UTF-8; or send_hex'),
    send_hex: z
      .string()
      .regex(
        /^\s*(?:[0-9a-fA-F]{2}\s*)+$/,
        'is not hexadecimal; write two digits a byte, blanks between bytes are fine',
      )
      .optional()
      .describe('The question in bytes, hexadecimal: two digits a byte'),
    expect: z
      .string()
      .superRefine(checkPattern(PATTERN_FLAGS))
      .optional()
      .describe(
        'Regular expression (RE2, linear in time) that an answer must match, as UTF-8; ^ and $ are ends of lines. Default: any answer does',
      ),
    ...routeOptions,
  })
  .refine((spec) => (spec.send === undefined) !== (spec.send_hex === undefined), {
    message: 'wants send or send_hex: without a question nobody answers',
  })
  .refine((spec) => questionOf(spec).length <= MAX_QUESTION_BYTES, { message: 'asks with more than 8 KiB' });
type UdpSpec = z.output<typeof udpSpec>;

const udpFields: FieldDeclarations = {
  banner: { type: 'string', summary: 'The answer as UTF-8, first 4 KiB; null without one' },
  hex: { type: 'string', summary: 'The same in hexadecimal: `hex.startsWith("1c")`' },
  answer_bytes: { type: 'double', unit: 'B', summary: 'Length of the answer' },
  phases: phaseFields({
    resolve: 'Name resolution',
    connect: 'Next to nothing: UDP has no handshake',
    processing: 'Question sent until the answer came',
  }),
  ip: ipField,
};

interface Prepared {
  readonly endpoint: Endpoint;
  readonly question: Buffer;
  readonly expected: Pattern | undefined;
}

/** A type with its own name cache and prepared specs. */
function createUdp(resolver: NameResolver = createResolver()): ProbeType<typeof udpSpec> {
  const prepare = oncePerSpec(
    (spec: UdpSpec): Prepared => ({
      endpoint: endpointOf(spec),
      question: questionOf(spec),
      expected: spec.expect === undefined ? undefined : compilePattern(spec.expect),
    }),
  );
  return {
    name: 'udp',
    summary: 'A UDP port: that a question in one datagram is answered, and how',
    spec: udpSpec,
    mainOption: 'host',
    example: `- name: game-server
  udp:
    host: 127.0.0.1
    port: 27960
    send: "status\\n"
    expect: ^players
`,
    fields: udpFields,
    families: addressFamilies,
    target: (spec) => printEndpoint(endpointOf(spec)),
    remote: (spec) => endpointOf(spec).host,
    run: (spec, _input, context) => runUdp(spec, prepare(spec), resolver, context),
  };
}

export const udp = createUdp();

async function runUdp(spec: UdpSpec, plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const seen = { ip: undefined as string | undefined, answer: undefined as Buffer | undefined };
  let failure: ProbeFailure | undefined;
  try {
    const socket = await openDatagram(plan.endpoint, routeOf(spec), line, resolver, seen);
    line.enter('processing');
    const inbox = new Inbox(line);
    socket.on('message', (answer) => {
      seen.answer = answer;
      inbox.receive(answer.toString());
    });
    socket.send(plan.question);
    await inbox.expect(plan.expected);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const { resolve_ms, connect_ms, processing_ms } = line.phases;
  const shown = seen.answer?.subarray(0, MAX_BANNER_BYTES);
  const fields = {
    banner: shown?.toString(),
    hex: shown?.toString('hex'),
    answer_bytes: seen.answer?.length,
    phases: { resolve_ms, connect_ms, processing_ms },
    ip: seen.ip,
  };
  return failure ? { reason: failure.reason, fields, error: failure.message } : { reason: 'ok', fields };
}

function endpointOf({ host, port }: UdpSpec): Endpoint {
  return { host: asciiHost(host), port };
}

function questionOf({ send, send_hex: hex = '' }: Question): Buffer {
  return send === undefined ? Buffer.from(hex.replace(/\s/g, ''), 'hex') : Buffer.from(send);
}
