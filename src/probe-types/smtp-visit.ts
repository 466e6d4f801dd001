/** What a probe says to a mail server: a greeting, a login, a mail. */
import { randomUUID } from 'node:crypto';
import { ProbeFailure } from './failure.ts';
import type { Dialogue, Reply } from './smtp-dialogue.ts';
import { refusal } from './smtp-failure.ts';

/** Throws what the refusal means unless the reply is the one that is wanted. */
export function demand(step: string, reply: Reply, code: number): Reply {
  if (reply.code !== code) throw refusal(step, reply);
  return reply;
}

/** EHLO, or HELO for a server that knows nothing newer. What it is able to, such as `STARTTLS` and `AUTH PLAIN LOGIN`. */
export async function greet(dialogue: Dialogue, name: string): Promise<readonly string[]> {
  const reply = await dialogue.say(`EHLO ${name}`);
  if (reply.code === 250) return reply.lines.slice(1).map((line) => line.toUpperCase());
  if (reply.code !== 500 && reply.code !== 502) throw refusal('EHLO', reply);
  demand('HELO', await dialogue.say(`HELO ${name}`), 250);
  return [];
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** With PLAIN, or else LOGIN: https://www.rfc-editor.org/rfc/rfc4954 */
export async function logIn(dialogue: Dialogue, { user, password }: Login, capabilities: readonly string[]) {
  const methods = capabilities.filter((line) => /^AUTH[ =]/.test(line)).flatMap((line) => line.slice(5).split(' '));
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  if (methods.includes('PLAIN')) {
    return accepted(await dialogue.say(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`));
  }
  if (!methods.includes('LOGIN')) {
    const offered = methods.length === 0 ? 'no login' : `none of PLAIN and LOGIN, but ${methods.join(', ')}`;
    throw new ProbeFailure('auth', `the server offers ${offered.slice(0, 200)}`);
  }
  for (const text of ['AUTH LOGIN', base64(user)]) {
    const reply = await dialogue.say(text);
    if (reply.code !== 334) throw refusal('AUTH', reply, false);
  }
  return accepted(await dialogue.say(base64(password)));
}

function accepted(reply: Reply): void {
  if (reply.code !== 235) throw refusal('AUTH', reply, false);
}

export interface Mail {
  readonly from: string;
  readonly to: string;
  readonly deliver: boolean;
}

/** Up to its recipient, or the whole of it. */
export async function send(dialogue: Dialogue, mail: Mail, probe: string, now: number): Promise<void> {
  demand('MAIL FROM', await dialogue.say(`MAIL FROM:<${mail.from}>`), 250);
  const reply = await dialogue.say(`RCPT TO:<${mail.to}>`);
  // 251: not here, but it passes it on.
  if (reply.code !== 250 && reply.code !== 251) throw refusal('RCPT TO', reply);
  if (!mail.deliver) return;
  demand('DATA', await dialogue.say('DATA'), 354);
  demand('the mail', await dialogue.say(`${textOf(mail, probe, now)}\r\n.`), 250);
}

/** No line of it begins with a dot. */
function textOf({ from, to }: Mail, probe: string, now: number): string {
  return [
    `Date: ${new Date(now).toUTCString().replace('GMT', '+0000')}`,
    `From: <${from}>`,
    `To: <${to}>`,
    `Message-ID: <${randomUUID()}@brainstem.invalid>`,
    `Subject: Brainstem: probe ${probe}`,
    // Nobody is to answer it: https://www.rfc-editor.org/rfc/rfc3834
    'Auto-Submitted: auto-generated',
    `X-Brainstem-Probe: ${probe}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Sent by a probe, to see that mail is accepted. It can be deleted.',
  ].join('\r\n');
}
