/** What the steps of a dialogue over TCP can do. */
import type { Socket } from 'node:net';
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { Reason } from '../model.ts';
import type { Lifeline } from './lifeline.ts';
import { checkPattern } from './pattern.ts';
import { hasPlaceholder, type Memory } from './step-memory.ts';
import type { Verb } from './steps.ts';
import type { Ear, Expectation } from './tcp-dialogue.ts';

/** The world of the verbs. */
export interface Dialogue {
  /** Another one after `starttls`. */
  socket: Socket;
  readonly ear: Ear;
  readonly line: Lifeline;
  secure(socket: Socket): Promise<Socket>;
  /** Compiles a regular expression, once for all runs. */
  pattern(source: string): RE2JS;
  /** What conditions read as `observed`. */
  observed: Record<string, string> | undefined;
}

const FLAGS = RE2JS.MULTILINE;
/** Characters of an observed text. */
const MAX_OBSERVED = 200;
const pattern = () => z.string().superRefine(checkPattern(FLAGS));

const refusal = () => pattern().optional();
const refusals = z.strictObject({
  auth: refusal().describe('The login is refused'),
  tls: refusal().describe('There is no TLS'),
  not_found: refusal().describe('What was asked for does not exist'),
  saturated: refusal().describe('There is no room for another client'),
  unhealthy: refusal().describe('The server says that it does not work'),
  protocol: refusal().describe('Anything else that is wrong'),
});

function expectation(description: string) {
  const withRefusals = z.strictObject({
    match: pattern().describe('Regular expression of what is expected'),
    fail: refusals.describe('Regular expressions of what may come instead, by the reason with which the run then ends'),
  });
  return z.union([pattern(), withRefusals]).describe(description);
}
type ExpectationOption = z.output<ReturnType<typeof expectation>>;

const expectOption = expectation(
  'Regular expression (RE2, linear in time) that what is received must match; ^ and $ are ends of lines. Its groups are ' +
    'kept for later steps as {{1}} and, when they have a name, as {{NAME}}: then whole lines are waited for',
);

const expectLineOption = expectation(
  'Regular expression that a line must match: lines are looked at one after the other, whole and without their ends. Its ' +
    'groups are kept as with `expect`',
);

const sendOption = z
  .string()
  .min(1)
  .describe('Text to send, as UTF-8; "\\r\\n" ends a line of most protocols; {{NAME}} stands for a value');

const sendHexOption = z
  .string()
  .regex(/^\s*(?:[0-9a-f]{2}\s*)+$/i, 'is not hexadecimal; write pairs of digits: "00 ff"')
  .describe('Bytes to send, in hexadecimal');

const startTlsOption = z
  .literal(true)
  .describe('A TLS handshake over the connection, as `tls` says; what follows is encrypted');

const observeOption = z
  .record(
    z.string().regex(/^(?!__|probe$|instance$)[A-Za-z_]\w{0,39}$/, 'must be letters, digits and "_", and free'),
    z.string().max(MAX_OBSERVED),
  )
  .refine((values) => Object.keys(values).length <= 10, 'has more than 10 values')
  .describe('Texts for conditions, read as observed.NAME; {{NAME}} stands for a value, which is thereby shown');

const send: Verb<Dialogue, typeof sendOption> = {
  name: 'send',
  option: sendOption,
  run: (text, { socket, line }, memory) => write(socket, memory.fill(text), line),
};

const sendHex: Verb<Dialogue, typeof sendHexOption> = {
  name: 'send_hex',
  option: sendHexOption,
  run: (digits, { socket, line }) => write(socket, Buffer.from(digits.replace(/\s/g, ''), 'hex'), line),
};

const expect: Verb<Dialogue, typeof expectOption> = {
  name: 'expect',
  option: expectOption,
  saves: groupsOf,
  run: (option, dialogue, memory) => listen(option, false, dialogue, memory),
};

const expectLine: Verb<Dialogue, typeof expectLineOption> = {
  name: 'expect_line',
  option: expectLineOption,
  saves: groupsOf,
  run: (option, dialogue, memory) => listen(option, true, dialogue, memory),
};

const startTls: Verb<Dialogue, typeof startTlsOption> = {
  name: 'starttls',
  option: startTlsOption,
  async run(_, dialogue) {
    const { ear, line } = dialogue;
    // What came in the clear must not pass for an answer over TLS.
    ear.detach();
    dialogue.socket = await dialogue.secure(dialogue.socket);
    ear.attach(dialogue.socket);
    line.enter('processing');
  },
};

const observe: Verb<Dialogue, typeof observeOption> = {
  name: 'observe',
  option: observeOption,
  async run(texts, dialogue, memory) {
    const filled = Object.entries(texts).map(([name, text]) => [name, memory.fill(text).slice(0, MAX_OBSERVED)]);
    dialogue.observed = { ...dialogue.observed, ...Object.fromEntries(filled) };
  },
};

export const tcpVerbs: readonly Verb<Dialogue>[] = [send, sendHex, expect, expectLine, startTls, observe];

function write(socket: Socket, data: string | Buffer, line: Lifeline): Promise<void> {
  return line.until((done) => {
    socket.write(data, (error) => (error ? line.fail(error) : done()));
  });
}

function groupsOf(option: ExpectationOption): readonly string[] {
  const match = RE2JS.compile(typeof option === 'string' ? option : option.match, FLAGS);
  const numbers = Array.from({ length: match.groupCount() }, (_, index) => `${index + 1}`);
  return [...numbers, ...Object.keys(match.namedGroups())];
}

async function listen(option: ExpectationOption, byLine: boolean, dialogue: Dialogue, memory: Memory): Promise<void> {
  const { match, fail } = typeof option === 'string' ? { match: option, fail: {} } : option;
  const compile = (source: string) => compileFilled(source, dialogue, memory);
  const expectation: Expectation = {
    match: compile(match),
    source: match,
    // Its keys are reasons, the schema sees to it.
    fail: Object.entries(fail).flatMap(([reason, source]) =>
      source === undefined ? [] : [{ reason: reason as Reason, source, match: compile(source) }],
    ),
    byLine,
  };
  for (const [name, value] of await dialogue.ear.listen(expectation)) memory.save(name, value);
}

/** A value in a pattern stands for itself. */
function compileFilled(source: string, { pattern }: Dialogue, memory: Memory): RE2JS {
  return hasPlaceholder(source) ? RE2JS.compile(memory.fill(source, RE2JS.quote), FLAGS) : pattern(source);
}
