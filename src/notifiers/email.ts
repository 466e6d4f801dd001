/**
 * E-mail over SMTP: text and HTML, one thread an incident.
 *
 * Credentials travel encrypted or not at all: STARTTLS is required of `smtp://`, unless `tls: off` says otherwise, and then a
 * password is refused. Towards this machine itself neither is asked for, as its mail server has no certificate of a name.
 * @see https://www.rfc-editor.org/rfc/rfc5321
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { NotifierOutput, NotifierType } from '../ports.ts';
import { composeMail, type Mailbox } from './email-message.ts';
import { type Server, submit } from './email-transport.ts';

const ADDRESS = String.raw`[^\s<>@,;:"\\()[\]\p{Cc}]+@[^\s<>@,;:"\\()[\]\p{Cc}]+`;
const MAILBOX = new RegExp(
  String.raw`^(?:(?<name>[^<>@,;:"\\()[\]\p{Cc}]*)<(?<inner>${ADDRESS})>|(?<bare>${ADDRESS}))$`,
  'u',
);
const ADDRESS_MAX = 320;
const RECIPIENTS_MAX = 50;
const NO_ADDRESS = 'is not an address; write ops@example.com, or Ops <ops@example.com> without commas and quotes';

function mailboxOf(text: string): Mailbox | undefined {
  const parts = text.length > ADDRESS_MAX ? undefined : MAILBOX.exec(text.trim())?.groups;
  return parts && { name: (parts['name'] ?? '').trim(), address: parts['inner'] ?? parts['bare'] ?? '' };
}

function mailbox() {
  return z.string().transform((text, context): Mailbox => {
    const parsed = mailboxOf(text);
    if (parsed) return parsed;
    context.issues.push({ code: 'custom', input: text, message: NO_ADDRESS });
    return z.NEVER;
  });
}

/** One or several, separated by commas. */
function mailboxes() {
  return z.string().transform((text, context): readonly Mailbox[] => {
    const written = text.split(',').filter((each) => each.trim() !== '');
    const parsed = written.map(mailboxOf).filter((each) => each !== undefined);
    if (parsed.length === written.length) return parsed;
    const message = written.length === 1 ? NO_ADDRESS : `holds a part that ${NO_ADDRESS}`;
    context.issues.push({ code: 'custom', input: text, message });
    return z.NEVER;
  });
}

const spec = z
  .strictObject({
    smtp: z
      .url({
        protocol: /^smtps?$/,
        hostname: /./,
        error: 'must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, percent-encoded',
      })
      .refine(hasReadableLogin, 'has a user name or password that is not percent-encoded')
      .describe('smtp://USER:PASSWORD@HOST:587 or smtps://…:465; user and password percent-encoded, or left out'),
    from: mailbox().describe('Sender: an address, or a name and then the address in angle brackets'),
    to: z
      .array(mailboxes())
      .transform((lists) => lists.flat())
      .refine(({ length }) => length >= 1 && length <= RECIPIENTS_MAX, `must name 1 to ${RECIPIENTS_MAX} addresses`)
      .describe(`Recipients, at most ${RECIPIENTS_MAX}; one entry may hold several, separated by commas`),
    subject_prefix: z
      .string()
      .max(50)
      .regex(/^\P{Cc}*$/u, 'must be one line')
      .default('')
      .describe('Before every subject, such as "[production] "'),
    tls: z
      .enum(['required', 'off'])
      .optional()
      .describe('required: STARTTLS, or smtps://, with a trusted certificate. Default: required, off on loopback'),
    ca: z
      .string()
      .refine(
        (text) => text.startsWith('/') || text.includes('-----BEGIN '),
        'is neither PEM text nor an absolute path',
      )
      .optional()
      .describe('Authorities to trust instead of the built-in ones: PEM text, or the absolute path of a PEM file'),
  })
  .superRefine(({ smtp, tls }, context) => {
    if (tls !== 'off') return;
    const { protocol, username, hostname } = new URL(smtp);
    const refuse = (message: string) => context.addIssue({ code: 'custom', path: ['tls'], message });
    if (protocol === 'smtps:') refuse('cannot be off with smtps://; write smtp://');
    else if (username !== '' && !isLoopback(hostname))
      refuse('cannot be off here: the password would travel in the open');
  });
type Spec = z.output<typeof spec>;

export const email: NotifierType<typeof spec> = {
  name: 'email',
  summary: 'E-mail over SMTP: text and HTML, one thread an incident',
  spec,
  mainOption: 'smtp',
  example: `notifiers:
  oncall-email: { email: { smtp: "\${SMTP_URL}", from: "\${ALERT_FROM}", to: ["\${ALERT_TO}"] } }
`,
  async run(options, { alert, conversation: remembered }, context): Promise<NotifierOutput> {
    const { from, to, subject_prefix: subjectPrefix } = options;
    const { mail, conversation } = composeMail(alert, remembered, { from, to, subjectPrefix });
    const server = await serverOf(options);
    if ('error' in server) return { delivered: false, retry: false, error: server.error };
    const output = await submit(server, mail, context);
    return output.delivered && conversation !== undefined ? { delivered: true, conversation } : output;
  },
};

async function serverOf({ smtp, tls, ca }: Spec): Promise<Server | { readonly error: string }> {
  const { protocol, hostname, port, username, password } = new URL(smtp);
  const secured = tls === 'required' || (tls === undefined && !isLoopback(hostname));
  try {
    return {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? undefined : Number(port),
      login: username === '' ? undefined : { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
      tls: protocol === 'smtps:' ? 'start' : secured ? 'upgrade' : 'off',
      ca: ca?.startsWith('/') ? await readFile(ca, 'utf8') : ca,
    };
  } catch (error) {
    return { error: `ca cannot be read: ${messageOf(error)}` };
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** What is no URL at all is complained of elsewhere. */
function hasReadableLogin(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { username, password } = new URL(url);
  try {
    decodeURIComponent(username + password);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}
