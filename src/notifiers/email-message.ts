/**
 * An alert as a mail: headers, the thread of its incident, and both bodies. Pure.
 *
 * Threads: readers join messages by `References` (RFC 5322, 3.6.4), and Gmail only those whose subjects are the same but for
 * `Re:`. So the subject names the incident and says nothing of its state, which the first line of the body does: that is
 * what phones show below the subject. The `Message-ID` is made of the event id, so that whoever gets a message twice can
 * tell.
 */
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import type { Alert } from '../model.ts';
import { htmlOf } from './email-html.ts';
import { textOf } from './email-text.ts';
import { oneLine, toneOf } from './email-words.ts';

export interface Mailbox {
  /** Empty: none. */
  readonly name: string;
  readonly address: string;
}

export interface Envelope {
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly subjectPrefix: string;
}

/** What is remembered of an incident: the first message of its thread. */
const conversationSchema = z.object({ message_id: z.string(), subject: z.string() });
export type Conversation = z.output<typeof conversationSchema>;

export interface Mail {
  readonly from: Mailbox;
  readonly to: Mailbox[];
  readonly subject: string;
  readonly messageId: string;
  readonly inReplyTo?: string;
  readonly references?: string;
  readonly date: Date;
  readonly priority?: 'high';
  readonly headers: Record<string, string>;
  readonly text: string;
  readonly html: string;
}

export interface Composed {
  readonly mail: Mail;
  /** Of an incident; undefined for a digest and a test, which start no thread. */
  readonly conversation: Conversation | undefined;
}

export function composeMail(alert: Alert, remembered: unknown, { from, to, subjectPrefix }: Envelope): Composed {
  const messageId = messageIdOf(alert, from);
  const known = alert.incident && threadOf(remembered);
  const subject = known?.subject ?? subjectOf(alert, subjectPrefix);
  const mail: Mail = {
    from,
    to: [...to],
    subject: known ? `Re: ${subject}` : subject,
    messageId,
    ...(known && { inReplyTo: known.message_id, references: known.message_id }),
    date: new Date(alert.at),
    ...(toneOf(alert) === 'critical' && { priority: 'high' }),
    headers: headersOf(alert),
    text: textOf(alert),
    html: htmlOf(alert),
  };
  return { mail, conversation: alert.incident && (known ?? { message_id: messageId, subject }) };
}

function threadOf(remembered: unknown): Conversation | undefined {
  const parsed = conversationSchema.safeParse(remembered);
  return parsed.success ? parsed.data : undefined;
}

const TITLE_MAX = 120;

function subjectOf({ title, incident }: Alert, prefix: string): string {
  const about = incident === undefined ? '' : ` (incident ${incident.id})`;
  return `${prefix}${oneLine(title, TITLE_MAX)}${about}`;
}

/** The right half is the sender's domain, as spam filters like it. */
function messageIdOf({ eventId }: Alert, { address }: Mailbox): string {
  const domain = domainToASCII(address.slice(address.lastIndexOf('@') + 1));
  return `<${token(eventId)}@${domain === '' ? 'brainstem.invalid' : domain}>`;
}

/**
 * `Auto-Submitted` (RFC 3834) and its like at Microsoft keep vacation notes and other robots from answering. The rest is for
 * rules of mailboxes: a critical alert may ring where others do not.
 */
function headersOf({ eventId, kind, severity, incident }: Alert): Record<string, string> {
  return {
    'Auto-Submitted': 'auto-generated',
    'X-Auto-Response-Suppress': 'All',
    'X-Brainstem-Event': token(eventId),
    'X-Brainstem-Kind': kind,
    'X-Brainstem-Severity': severity,
    ...(incident && { 'X-Brainstem-Incident': String(incident.id) }),
  };
}

/** Nothing that could end a header or a message id. */
function token(text: string): string {
  return text.replace(/[^\w.-]/g, '-').slice(0, 100);
}
