/** Probe type `smtp`: a mail server that greets, encrypts, lets in, and takes a mail. */
import type { Socket } from 'node:net';
import { z } from 'zod';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { authorityOf, parseServerUrl, type ServerUrl } from '../shared/server-url.ts';
import { open, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { connectionFields, createGuards, type Findings, type Guard, runOverConnection } from './server-run.ts';
import { converse, type Dialogue } from './smtp-dialogue.ts';
import { SmtpRefusal } from './smtp-failure.ts';
import { demand, greet, logIn, send } from './smtp-visit.ts';

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'The dialogue',
};
const MAX_BANNER = 500;
const STARTTLS = ['required', 'optional', 'off'] as const;
type Starttls = (typeof STARTTLS)[number];

function address() {
  return z
    .string()
    .max(320)
    .regex(/^[!-;=?-~]+@[!-;=?-~]+$/, 'is not an address; write probe@example.com');
}

const smtpSpec = z
  .strictObject({
    url: z
      .string()
      .superRefine((text, context) => {
        const message = urlProblem(text);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .describe(
        'smtp://USER:PASSWORD@HOST:587, or smtps://…:465 for TLS from the first byte; user and password ' +
          'percent-encoded, or left out',
      ),
    starttls: z
      .enum(STARTTLS)
      .optional()
      .describe(
        'required: fails without STARTTLS; optional: uses it when it is offered. Default: required; off on loopback without tls',
      ),
    hello: z
      .string()
      .regex(/^[!-~]{1,255}$/, 'is not a host name or an address in brackets')
      .default('[127.0.0.1]')
      .describe('What to call ourselves (EHLO)'),
    mail: z
      .strictObject({
        from: address().describe('Sender'),
        to: address().describe('Recipient: a mailbox that nobody reads'),
        deliver: z
          .boolean()
          .default(false)
          .describe('Send a whole mail. Default: false, it ends when the recipient is accepted'),
      })
      .optional()
      .describe('A mail to offer'),
    tls: tlsOptions.optional().describe('Client certificate, authorities, server name'),
    ...routeOptions,
  })
  .refine(({ url, starttls }) => starttls === undefined || !url.startsWith('smtps:'), {
    path: ['starttls'],
    message: 'does not go with smtps://, which is encrypted from the first byte',
  })
  .superRefine(({ url, starttls }, context) => {
    const server = serverAt(url);
    if (starttls !== 'off' || !server || server.user === '' || isLoopback(server.host)) return;
    const message = 'cannot be off here: the password would travel in the open';
    context.addIssue({ code: 'custom', path: ['starttls'], message });
  });
type SmtpSpec = z.output<typeof smtpSpec>;

interface Prepared {
  readonly spec: SmtpSpec;
  readonly server: ServerUrl;
  readonly starttls: Starttls;
  readonly guard: Guard;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createSmtp(resolver: NameResolver = createResolver()): ProbeType<typeof smtpSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: SmtpSpec): Prepared => {
    const server = serverOf(spec);
    // Towards this machine itself as the notifier `email` has it: its mail server has no certificate of a name.
    const starttls = spec.starttls ?? (spec.tls || !isLoopback(server.host) ? 'required' : 'off');
    return {
      spec,
      server,
      starttls,
      guard: createGuard(server.host, spec.tls, spec.tls?.insecure_skip_verify ?? false),
    };
  });
  return {
    name: 'smtp',
    summary: 'A mail server: greeting, STARTTLS or TLS, login, and a mail that it accepts',
    spec: smtpSpec,
    mainOption: 'url',
    example: `- name: mail
  smtp:
    url: "smtp://127.0.0.1:2525"
    mail: { from: probe@example.com, to: probe@example.com }
  warn:
    - certificate == null || certificate.expires_in_days > 14
`,
    fields: {
      accepted: {
        type: 'bool',
        summary: 'It took all that was asked of it; false when it refused, null without an answer',
      },
      banner: { type: 'string', summary: 'What it said first, up to 500 characters' },
      capabilities: {
        type: 'list',
        summary: 'What it is able to (EHLO), such as STARTTLS, SIZE 10485760; the last answer',
      },
      ...connectionFields(PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    target: (spec) => `${serverOf(spec).scheme}://${authorityOf(serverOf(spec))}`,
    remote: (spec) => serverOf(spec).host,
    run: (spec, input, context) => runSmtp(prepare(spec), resolver, input, context),
  };
}

export const smtp = createSmtp();

async function runSmtp(
  plan: Prepared,
  resolver: NameResolver,
  { probe }: ProbeInput,
  context: Context,
): Promise<ProbeOutput> {
  const now = context.clock.now();
  return await runOverConnection(context, PHASES, async (line, findings) => {
    const socket = await connect(plan, resolver, now, line, findings);
    try {
      await visit(plan, socket, probe, now, line, findings);
    } catch (error) {
      if (error instanceof SmtpRefusal) findings.fields['accepted'] = false;
      throw error;
    }
    findings.fields['accepted'] = true;
  });
}

async function connect(plan: Prepared, resolver: NameResolver, now: number, line: Lifeline, { seen }: Findings) {
  const { socket } = await open(plan.server, routeOf(plan.spec), line, resolver, seen);
  return plan.server.scheme === 'smtps' ? await plan.guard(socket, line, seen, now) : socket;
}

async function visit(
  plan: Prepared,
  socket: Socket,
  probe: string,
  now: number,
  line: Lifeline,
  findings: Findings,
): Promise<void> {
  const { spec, server } = plan;
  const { fields } = findings;
  line.enter('processing');
  const plain = converse(socket, line);
  const banner = await plain.hear();
  fields['banner'] = banner.lines.join('\n').slice(0, MAX_BANNER);
  demand('the connection', banner, 220);
  const introduce = async (to: Dialogue) => {
    const capabilities = await greet(to, spec.hello);
    fields['capabilities'] = capabilities;
    return capabilities;
  };
  let dialogue = plain;
  let capabilities = await introduce(dialogue);
  if (wantsStarttls(plan, capabilities)) {
    dialogue = await startTls(plan, plain, now, line, findings);
    capabilities = await introduce(dialogue);
  }
  if (server.user !== '') await logIn(dialogue, server, capabilities);
  if (spec.mail) await send(dialogue, spec.mail, probe, now);
  dialogue.leave('QUIT');
}

/** Throws where it must be encrypted and cannot: a password travels in the open only on this machine. */
function wantsStarttls({ server, starttls }: Prepared, capabilities: readonly string[]): boolean {
  if (server.scheme === 'smtps' || starttls === 'off') return false;
  if (capabilities.includes('STARTTLS')) return true;
  if (starttls === 'optional' && (server.user === '' || isLoopback(server.host))) return false;
  throw new ProbeFailure('tls', 'the server does not offer STARTTLS');
}

async function startTls(
  { guard }: Prepared,
  dialogue: Dialogue,
  now: number,
  line: Lifeline,
  { seen }: Findings,
): Promise<Dialogue> {
  const { code, lines } = await dialogue.say('STARTTLS');
  if (code !== 220) throw new ProbeFailure('tls', `STARTTLS was refused: ${code} ${lines.join(' ').slice(0, 300)}`);
  const secured = await guard(dialogue.release(), line, seen, now);
  line.enter('processing');
  return converse(secured, line);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

const SCHEMES = ['smtp', 'smtps'] as const;

function urlProblem(text: string): string | undefined {
  const server = serverAt(text);
  if (!server) return 'is not a URL of a mail server; write smtp://USER:PASSWORD@HOST:587 or smtps://…:465';
  if (server.path !== '') return 'has something behind the port; write smtp://USER:PASSWORD@HOST:587';
  if ((server.user === '') !== (server.password === '')) return 'has a user without a password, or the other way round';
  return undefined;
}

function serverOf({ url }: Pick<SmtpSpec, 'url'>): ServerUrl {
  return serverAt(url) as ServerUrl;
}

/** Where mail is handed in: https://www.rfc-editor.org/rfc/rfc8314 */
function serverAt(url: string): ServerUrl | undefined {
  return parseServerUrl(url, SCHEMES, url.startsWith('smtps:') ? 465 : 587);
}
