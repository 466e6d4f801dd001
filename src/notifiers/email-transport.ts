/**
 * Hands one mail to an SMTP server, over a connection of its own that is gone afterwards. nodemailer is loaded with the first
 * alert.
 *
 * What a failure means: a reply 5xx (but 503, which speaks of the session) and missing or unusable credentials need a person;
 * 4xx, TLS and network trouble pass by themselves. Where only some recipients are refused the mail is delivered, and the log
 * names the others.
 */
import type { NodemailerError, SMTPTransportOptions } from 'nodemailer';
import { messageOf } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { Context, NotifierOutput } from '../ports.ts';
import { createRedactor } from '../redact.ts';
import type { Mail } from './email-message.ts';

export interface Server {
  readonly host: string;
  /** Absent: 587, or 465 with TLS from the start. */
  readonly port: number | undefined;
  readonly login: { readonly user: string; readonly pass: string } | undefined;
  /** `start`: TLS from the first byte. `upgrade`: STARTTLS or nothing. */
  readonly tls: 'start' | 'upgrade' | 'off';
  /** PEM of the authorities to trust instead of the built-in ones. */
  readonly ca: string | undefined;
}

export async function submit(server: Server, mail: Mail, { signal, timeoutMs, log }: Context): Promise<NotifierOutput> {
  const show = redactorOf(server);
  const { createTransport } = loadLibrary<typeof import('nodemailer')>('nodemailer');
  const transport = createTransport(optionsOf(server, timeoutMs));
  try {
    const { rejected, rejectedErrors = [] } = await transport.sendMail({ ...mail, signal });
    if (rejected.length > 0) {
      log.warn('email_recipients_refused', { recipients: rejected, errors: rejectedErrors.map(describe).map(show) });
    }
    return { delivered: true };
  } catch (thrown) {
    // Whatever nodemailer rejects with is such an error, or an Error without these properties.
    const error = thrown as NodemailerError;
    return { delivered: false, retry: passesByItself(error), error: show(describe(error)) };
  } finally {
    transport.close();
  }
}

/** One deadline ends all: the caller's signal. The timeouts of nodemailer's own phases must only not outlive it. */
function optionsOf({ host, port, login, tls, ca }: Server, timeoutMs: number): SMTPTransportOptions {
  return {
    host,
    ...(port !== undefined && { port }),
    secure: tls === 'start',
    requireTLS: tls === 'upgrade',
    ignoreTLS: tls === 'off',
    // A server that does not offer to log in must refuse it, rather than take the mail as a stranger's.
    ...(login && { auth: login, forceAuth: true }),
    tls: { minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // The mail is taken or refused by then: nothing is worth waiting for.
    socketCloseTimeout: 0,
    maxResponseSize: 64 * 1_024,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** Without a reply: what trying again cannot mend. */
const NEEDS_A_PERSON: ReadonlySet<string | undefined> = new Set(['EAUTH', 'ECONFIG', 'EENVELOPE', 'EMESSAGE']);

function passesByItself({ responseCode, code }: NodemailerError): boolean {
  if (responseCode === undefined) return !NEEDS_A_PERSON.has(code);
  return responseCode < 500 || responseCode === 503;
}

const ERROR_MAX = 300;

/** `RCPT TO: 550 5.1.1 no such user`, or what went wrong before a reply. */
function describe(error: NodemailerError): string {
  const { response, command, recipient } = error;
  const said = response === undefined ? messageOf(error) : `${recipient ?? command ?? ''}: ${response}`;
  return said.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, ERROR_MAX);
}

/** A server may say back what it was told. */
function redactorOf({ login }: Server): (text: string) => string {
  const redactor = createRedactor();
  redactor.use(login === undefined ? [] : [login.pass]);
  return redactor.redact;
}
