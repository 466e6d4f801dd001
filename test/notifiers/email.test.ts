/** E-mail through real SMTP servers: what arrives, as its reader sees it, and what a refusal means. */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Alert } from '../../src/model.ts';
import { email } from '../../src/notifiers/email.ts';
import type { Context, Log, NotifierOutput } from '../../src/ports.ts';
import { until } from '../estate/daemon.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import {
  type MailServer,
  type MailServerOptions,
  type ReceivedMail,
  startBrokenServer,
  startMailServer,
} from '../estate/mail-server.ts';
import { alertOf, contextOf, digestOf, incidentOf, OPENED_AT, quietLog } from './alerts.ts';
import { lateSample, sampleOf, samples } from './email-samples.ts';

const LOGIN = { user: 'alerts@example.com', pass: ['p@ss', 'of the', 'test'].join('/') };

let open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open) await each.close();
  open = [];
});

async function mailServer(options?: MailServerOptions): Promise<MailServer> {
  const server = await startMailServer(options);
  open.push(server);
  return server;
}

interface Sending {
  readonly options?: Record<string, unknown>;
  readonly login?: typeof LOGIN;
  readonly scheme?: 'smtp' | 'smtps';
  readonly host?: string;
  readonly conversation?: unknown;
  readonly context?: Context;
}

function send(port: number, alert: Alert, sending: Sending = {}): Promise<NotifierOutput> {
  const { options, login, scheme = 'smtp', host = '127.0.0.1', conversation, context = contextOf(20_000) } = sending;
  const userinfo = login ? `${encodeURIComponent(login.user)}:${encodeURIComponent(login.pass)}@` : '';
  const spec = email.spec.parse({
    smtp: `${scheme}://${userinfo}${host}:${port}`,
    from: 'Brainstem <brainstem@example.com>',
    to: ['oncall@example.com', 'Ops <ops@example.com>'],
    ...options,
  });
  return email.run(spec, { alert, conversation }, context);
}

async function conversationOf(port: number, alert: Alert): Promise<unknown> {
  const output = await send(port, alert);
  return output.delivered ? output.conversation : expect.fail(output.error);
}

describe('a message', () => {
  it.each(samples().map((alert) => [alert.kind, alert] as const))(
    'of kind %s arrives as text and as HTML',
    async (kind, alert) => {
      const server = await mailServer();
      expect(await send(server.port, alert)).toMatchObject({ delivered: true });
      const [{ parsed, recipients } = expect.fail('no mail')] = server.mails();
      expect(recipients).toEqual(['oncall@example.com', 'ops@example.com']);
      expect(parsed.from?.text).toBe('"Brainstem" <brainstem@example.com>');
      expect(parsed.to).toMatchObject({ text: 'oncall@example.com, "Ops" <ops@example.com>' });
      expect(parsed.date?.getTime()).toBe(alert.at);
      expect(parsed.headers.get('x-brainstem-kind')).toBe(kind);
      expect(parsed.headers.get('content-type')).toMatchObject({ value: 'multipart/alternative' });
      const html = plainOf(parsed.html);
      for (const said of [alert.text, ...alert.facts.map(({ label }) => label)]) {
        expect(parsed.text).toContain(said);
        expect(html).toContain(said);
      }
      expect(parsed.html).toContain(`href="${alert.url.replace(/com$/, 'com/')}"`);
    },
  );

  it('says severity, what, since when, why, what was tried, where to look and how to acknowledge', async () => {
    const server = await mailServer();
    await send(server.port, sampleOf('escalated'));
    const [{ parsed } = expect.fail('no mail')] = server.mails();
    for (const text of [parsed.text, plainOf(parsed.html)]) {
      for (const said of [
        /critical · escalated/i,
        'Backend API is still down: status == 200 (status = 503); every fix was tried',
        '2026-11-23 04:00:00 UTC',
        'restart-backend failed: exit code 1',
        'docs/runbooks/backend.md',
        'brainstem incidents ack 7',
      ])
        expect(text).toMatch(said instanceof RegExp ? said : literal(said));
    }
  });

  it.each([
    ['resolved', sampleOf('resolved')],
    ['acknowledged', alertOf({ incident: incidentOf({ acknowledgedAt: OPENED_AT, acknowledgedBy: 'ana' }) })],
    ['test', sampleOf('test')],
  ])('about what is %s does not ask to acknowledge it', async (_what, alert) => {
    const server = await mailServer();
    await send(server.port, alert);
    expect(server.mails()[0]?.raw).not.toContain('incidents ack');
  });

  it('that is late says so', async () => {
    const server = await mailServer();
    await send(server.port, lateSample());
    const [{ parsed } = expect.fail('no mail')] = server.mails();
    for (const text of [parsed.text, plainOf(parsed.html)])
      expect(text).toContain('(delayed, happened 1h ago; resolved since, 48m ago)');
  });

  it('that is a digest names every incident, and links to it', async () => {
    const server = await mailServer();
    expect(await send(server.port, digestOf(500))).toEqual({ delivered: true });
    const [{ parsed } = expect.fail('no mail')] = server.mails();
    const links = [...String(parsed.html).matchAll(/href="[^"]*\/incidents\/(\d+)"/g)].map(([, id]) => Number(id));
    expect(new Set(links).size).toBe(500);
    for (let id = 1; id <= 500; id += 1) expect(parsed.text).toContain(`#${id}  probe-${id}\n`);
  });

  it('keeps robots from answering, and rings only for what is critical and open', async () => {
    const server = await mailServer();
    await send(server.port, sampleOf('opened'));
    await send(server.port, sampleOf('resolved'));
    const [opened, resolved] = server.mails().map(({ raw }) => headOf(raw));
    expect(opened).toContain('Auto-Submitted: auto-generated');
    expect(opened).toContain('X-Brainstem-Severity: critical');
    expect(opened).toContain('X-Brainstem-Incident: 7');
    expect(opened).toContain('Importance: High');
    expect(resolved?.join('\n')).not.toContain('Importance');
  });

  it('puts the prefix before the subject, in any language', async () => {
    const server = await mailServer();
    const options = { subject_prefix: '[Größe] ', from: 'Überwachung <alerts@example.com>' };
    await send(server.port, alertOf({ title: 'Büro → 東京' }), { options });
    const [{ parsed } = expect.fail('no mail')] = server.mails();
    expect(parsed.subject).toBe('[Größe] Büro → 東京 (incident 7)');
    expect(parsed.from?.value).toEqual([{ name: 'Überwachung', address: 'alerts@example.com' }]);
  });
});

it('looks as docs/alerts.md shows it', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
  const server = await mailServer();
  await send(server.port, sampleOf('opened'));
  expect(page).toContain(`\`\`\`\n${server.mails()[0]?.parsed.text?.trim()}\n\`\`\`\n`);
});

describe('a thread', () => {
  it('holds all that is said of one incident, under one subject', async () => {
    const server = await mailServer();
    const conversation = await conversationOf(server.port, sampleOf('opened'));
    for (const kind of ['progress', 'escalated', 'reminder', 'resolved', 'reopened'] as const) {
      const alert = { ...sampleOf(kind), title: 'a new title' };
      expect(await send(server.port, alert, { conversation })).toEqual({ delivered: true, conversation });
    }
    const [first, ...rest] = server.mails().map(({ parsed }) => parsed);
    expect(first?.subject).toBe('Backend API (incident 7)');
    expect(first?.references).toBeUndefined();
    expect(rest).toHaveLength(5);
    for (const reply of rest) {
      expect(reply.subject).toBe('Re: Backend API (incident 7)');
      expect(reply.inReplyTo).toBe(first?.messageId);
      expect(reply.references).toBe(first?.messageId);
    }
    expect(new Set(server.mails().map(({ parsed }) => parsed.messageId)).size).toBe(6);
  });

  it('has a message once, however often it is delivered', async () => {
    const server = await mailServer();
    await send(server.port, sampleOf('opened'));
    await send(server.port, sampleOf('opened'));
    const ids = server.mails().map(({ parsed }) => parsed.messageId);
    expect(ids).toEqual(Array(2).fill('<6f1c2d34-0000-4000-8000-opened@example.com>'));
  });

  it('begins anew when an incident was heard of in a digest alone', async () => {
    const server = await mailServer();
    await send(server.port, sampleOf('resolved'), { conversation: {} });
    expect(server.mails()[0]?.parsed.subject).toBe('Backend API (incident 7)');
  });

  it('is not begun by a digest or a test', async () => {
    const server = await mailServer();
    for (const kind of ['digest', 'test'] as const)
      expect(await send(server.port, sampleOf(kind))).toEqual({ delivered: true });
  });
});

describe('foreign text', () => {
  it('never becomes markup, a header or an address, in 200 hostile forms', async () => {
    const server = await mailServer();
    const payloads = ['harmless', ...hostilePayloads()];
    const received = await Promise.all(payloads.map((payload, id) => sendHostile(server, payload, id)));
    const [harmless = expect.fail('no mail'), ...hostile] = received.map(structureOf);
    const { text: _text, event: _event, ...fixed } = harmless;
    expect(hostile.length).toBeGreaterThan(200);
    for (const [index, { tags, headers, recipients, text, event }] of hostile.entries()) {
      const payload = payloads[index + 1] ?? '';
      expect({ tags, headers, recipients }, payload).toEqual(fixed);
      expect(text, payload).toContain(visible(payload));
      expect(event, payload).toMatch(/^X-Brainstem-Event: [\w.-]{1,100}$/);
    }
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'http:', ''])(
    'that is no web address is no link: %j',
    async (url) => {
      const server = await mailServer();
      await send(server.port, alertOf({ url }));
      expect(server.mails()[0]?.parsed.html).not.toContain('href');
    },
  );

  it('of any length arrives, cut between two characters', async () => {
    const server = await mailServer();
    const long = '\u{1f600}'.repeat(100_000);
    for (const text of [long, `x${long}`]) {
      const facts = Array.from({ length: 100 }, () => ({ label: text, value: text }));
      expect(await send(server.port, alertOf({ title: text, text, facts }))).toMatchObject({ delivered: true });
      const { parsed, raw } = server.mails().at(-1) ?? expect.fail('no mail');
      expect(raw.length).toBeLessThan(1_500_000);
      expect(`${parsed.subject}${parsed.html}${parsed.text}`).not.toContain('\ufffd');
    }
  });
});

async function sendHostile(server: MailServer, payload: string, id: number): Promise<ReceivedMail> {
  const incident = incidentOf({ id, title: payload, cause: payload });
  const facts = [{ label: payload, value: payload }];
  const alert = alertOf({ eventId: payload, title: payload, text: payload, incident, facts, url: 'http://h/x' });
  expect(await send(server.port, alert, { context: contextOf(60_000) }), payload).toMatchObject({ delivered: true });
  const mail = server.mails().find(({ parsed }) => parsed.headers.get('x-brainstem-incident') === String(id));
  return mail ?? expect.fail('no mail');
}

/** What of a mail must not depend on the texts in it, and the text that is shown. */
function structureOf({ parsed, raw, recipients }: ReceivedMail) {
  const tags = [...String(parsed.html).matchAll(/<[^>]*>/g)].map(([tag]) => tag).filter((tag) => tag !== '<br>');
  const headers = headOf(raw).map((line) => line.slice(0, line.indexOf(':')));
  const event = headOf(raw).find((line) => line.startsWith('X-Brainstem-Event:'));
  return { tags, headers, recipients, event, text: plainOf(parsed.html).replace(/\s+/g, '') };
}

/** The headers of a mail, unfolded. */
function headOf(raw: string): readonly string[] {
  const [head = ''] = raw.split('\r\n\r\n');
  return head.replace(/\r\n(?=[ \t])/g, '').split('\r\n');
}

/** What is left of a text that has no invisible characters, no line breaks and no half pairs. */
function visible(payload: string): string {
  return Buffer.from(payload)
    .toString()
    .replace(/[\s\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '');
}

function hostilePayloads(): readonly string[] {
  const marks = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    '</td></table><h1>all is well</h1>',
    '<!-- -->',
    '<style>*{display:none}</style>',
    '&lt;b&gt; &amp;amp; &#60;i&#62;',
    '<a href="http://evil.example">click</a>',
    '<iframe src="http://evil.example"></iframe>',
    ']]><x>',
    '${7*7} {{7*7}} <%= 7*7 %>',
  ];
  const injections = [
    '\r\nBcc: evil@evil.example',
    '\nTo: evil@evil.example',
    '\rX-Evil: 1',
    '\r\n\r\nbody',
    '\r\n.\r\nMAIL FROM:<evil@evil.example>',
    '\u0000\u0007\u001b[31m',
    '\u2028\u2029\u0085',
    '\u202egnirts\u2066x\u2069',
    '=?utf-8?Q?evil?= =?utf-8?B?ZXZpbA==?=',
    '<evil@evil.example>, evil@evil.example',
    '\ud800 half a pair',
    '\u{1f600}'.repeat(30),
    '; charset=utf-7 +ADw-script+AD4-',
    '(comment) "quoted" \\escaped',
    '%0d%0aBcc:evil@evil.example',
    '.\r\n..\r\n.',
  ];
  return marks
    .flatMap((mark) => injections.flatMap((injection) => [`${mark}${injection}`, `${injection}${mark}`]))
    .slice(0, 204)
    .concat(marks, injections);
}

/** What a reader shows of HTML. */
function plainOf(html: string | false | undefined): string {
  const body = String(html).replace(/^[\s\S]*<body[^>]*>/, '');
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return body
    .replaceAll('<br>', '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_entity, name: string) => entities[name] ?? '');
}

function literal(text: string): RegExp {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
}

describe('a login', () => {
  let authority: Authority;
  let keys: KeyPair;
  beforeAll(async () => {
    authority = await createAuthority();
    keys = await authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1', days: 30 });
  });
  afterAll(() => authority.remove());

  const required = () => ({ tls: 'required', ca: authority.cert });

  it.each([
    ['STARTTLS', 'smtp', false],
    ['TLS from the first byte', 'smtps', true],
  ] as const)('goes over %s, with a password of any characters', async (_what, scheme, secure) => {
    const server = await mailServer({ keys, secure, login: LOGIN });
    expect(await send(server.port, alertOf(), { login: LOGIN, scheme, options: required() })).toMatchObject({
      delivered: true,
    });
    expect(server.mails()).toMatchObject([{ user: LOGIN.user, encrypted: true }]);
  });

  it('trusts the authority of a file', async () => {
    const server = await mailServer({ keys, login: LOGIN });
    const options = { ...required(), ca: `${authority.folder}/ca.pem` };
    expect(await send(server.port, alertOf(), { login: LOGIN, options })).toMatchObject({ delivered: true });
  });

  it('names an authority file that cannot be read', async () => {
    const output = await send(1, alertOf(), { options: { ...required(), ca: '/nowhere/ca.pem' } });
    expect(output).toMatchObject({ delivered: false, retry: false, error: expect.stringContaining('/nowhere/ca.pem') });
  });

  it('is not told to a server that nobody vouches for', async () => {
    const server = await mailServer({ keys, login: LOGIN });
    const output = await send(server.port, alertOf(), { login: LOGIN, options: { tls: 'required' } });
    expect(output).toMatchObject({ delivered: false, retry: true, error: expect.stringContaining('certificate') });
    expect(server.mails()).toEqual([]);
  });

  it('is not told in the open when a server does not offer STARTTLS', async () => {
    const heard: string[] = [];
    const server = await startBrokenServer((socket) => converse(socket, heard, '250-me\r\n250 AUTH PLAIN\r\n'));
    open.push(server);
    const output = await send(server.port, alertOf(), { login: LOGIN, options: required() });
    expect(output).toMatchObject({ delivered: false, retry: false });
    expect(heard.join('')).toContain('EHLO');
    expect(heard.join('')).not.toContain('AUTH');
    expect(heard.join('')).not.toContain('MAIL');
  });

  it('is insisted on with a server that does not ask for it', async () => {
    const heard: string[] = [];
    const server = await startBrokenServer((socket) => converse(socket, heard, '250 me\r\n'));
    open.push(server);
    expect(await send(server.port, alertOf(), { login: LOGIN })).toMatchObject({ delivered: false, retry: false });
    expect(heard.join('')).toContain('AUTH');
    expect(heard.join('')).not.toContain('MAIL');
  });

  it('goes to this machine itself without TLS', async () => {
    const server = await mailServer({ login: LOGIN });
    expect(await send(server.port, alertOf(), { login: LOGIN, host: 'localhost' })).toMatchObject({ delivered: true });
    expect(server.mails()).toMatchObject([{ encrypted: false }]);
  });

  it('that is wrong needs a person, and its password is not said', async () => {
    const server = await mailServer({ login: LOGIN });
    const wrong = { ...LOGIN, pass: 'another-password' };
    const output = await send(server.port, alertOf(), { login: wrong });
    expect(output).toMatchObject({ delivered: false, retry: false, error: expect.stringContaining('535') });
    expect(JSON.stringify(output)).not.toContain(wrong.pass);
  });

  it('that a server cannot check now is tried again', async () => {
    const server = await mailServer({ login: LOGIN });
    server.fail({ at: 'AUTH', code: 454 });
    expect(await send(server.port, alertOf(), { login: LOGIN })).toMatchObject({ delivered: false, retry: true });
  });
});

describe('a refusal', () => {
  it.each([
    ['the sender', 'MAIL', 550, false],
    ['the sender for now', 'MAIL', 451, true],
    ['every recipient', 'RCPT', 550, false],
    ['every recipient for now', 'RCPT', 450, true],
    ['the content', 'DATA', 554, false],
    ['the content for now', 'DATA', 452, true],
  ] as const)('of %s (%s %s) is tried again: %s', async (_what, at, code, retry) => {
    const server = await mailServer();
    server.fail({ at, code, text: '5.0.0 no\u0007, thanks' });
    const output = await send(server.port, alertOf());
    expect(output).toEqual({ delivered: false, retry, error: expect.stringMatching(`${code} .*no.*, thanks`) });
    await until(() => server.openConnections() === 0, { what: 'the connection to be gone' });
  });

  it('of all recipients is tried again when one of them is refused only for now', async () => {
    const server = await mailServer();
    server.fail({ at: 'RCPT', code: 550, to: 'oncall' }, { at: 'RCPT', code: 450, to: 'ops' });
    expect(await send(server.port, alertOf())).toMatchObject({ delivered: false, retry: true });
  });

  it('of one recipient is a delivery to the others, and the log names it', async () => {
    const server = await mailServer();
    server.fail({ at: 'RCPT', code: 550, to: 'ops', text: '5.1.1 no such user' });
    const logged: unknown[] = [];
    const log: Log = { ...quietLog, warn: (event, fields) => logged.push({ event, ...fields }) };
    expect(await send(server.port, alertOf(), { context: { ...contextOf(), log } })).toMatchObject({ delivered: true });
    expect(server.mails()).toMatchObject([{ recipients: ['oncall@example.com'] }]);
    expect(logged).toEqual([
      {
        event: 'email_recipients_refused',
        recipients: ['ops@example.com'],
        errors: ['ops@example.com: 550 5.1.1 no such user'],
      },
    ]);
  });
});

/** Speaks as a server that greets, answers EHLO as told, and knows no other command. */
function converse(socket: Socket, heard: string[], ehlo: string): void {
  socket.write('220 me\r\n');
  socket.on('data', (chunk) => {
    heard.push(chunk.toString());
    socket.write(/^EHLO/.test(chunk.toString()) ? ehlo : '502 5.5.1 no\r\n');
  });
}

/** Greets, and answers what comes then with a byte every 20 ms: it is never silent, and never done. */
function drip(socket: Socket): void {
  socket.write('220 me\r\n');
  socket.once('data', () => {
    socket.write('250 me\r\n');
    const timer = setInterval(() => socket.write('2'), 20);
    socket.once('close', () => clearInterval(timer));
  });
}

function flood(socket: Socket): void {
  const more = () => {
    while (socket.writable && socket.write(`250-${'x'.repeat(10_000)}\r\n`));
  };
  socket.on('drain', more);
  more();
}

describe('a server', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => undefined],
    ['greets and says no more', (socket) => socket.write('220 me\r\n')],
    ['drips', drip],
  ])('that %s is left at the deadline, and no connection stays', async (_what, treat) => {
    const server = await startBrokenServer(treat);
    open.push(server);
    const output = await send(server.port, alertOf(), { context: contextOf(500) });
    expect(output).toMatchObject({ delivered: false, retry: true });
    await until(() => server.openConnections() === 0, { what: 'the connection to be gone' });
  });

  it('that takes the mail and does not answer is left at the deadline', async () => {
    const server = await mailServer();
    server.hang();
    expect(await send(server.port, alertOf(), { context: contextOf(1_000) })).toMatchObject({
      delivered: false,
      retry: true,
    });
    await until(() => server.openConnections() === 0, { what: 'the connection to be gone' });
  });

  it.each<[string, (socket: Socket) => void]>([
    ['hangs up', (socket) => socket.destroy()],
    ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['speaks noise', (socket) => socket.end(Buffer.alloc(5_000, 0xfe))],
    ['never ends its greeting', flood],
    ['is about to close', (socket) => socket.end('421 4.3.2 closing\r\n')],
  ])('that %s is tried again', async (_what, treat) => {
    const server = await startBrokenServer(treat);
    open.push(server);
    const output = await send(server.port, alertOf());
    expect(output).toMatchObject({ delivered: false, retry: true, error: expect.stringMatching(/./) });
    await until(() => server.openConnections() === 0, { what: 'the connection to be gone' });
  });

  it('that is not there is tried again', async () => {
    const server = await startBrokenServer(() => undefined);
    await server.close();
    expect(await send(server.port, alertOf())).toMatchObject({ delivered: false, retry: true });
  });

  it('has no connection left after a delivery', async () => {
    const server = await mailServer();
    await send(server.port, alertOf());
    await until(() => server.openConnections() === 0, { what: 'the connection to be gone' });
  });

  it('is not asked once the signal has aborted', async () => {
    const server = await mailServer();
    onTestFinished(() => expect(server.mails()).toEqual([]));
    const context = { ...contextOf(), signal: AbortSignal.abort() };
    expect(await send(server.port, alertOf(), { context })).toMatchObject({ delivered: false, retry: true });
  });
});

describe('the options', () => {
  const given = { smtp: 'smtp://mail.example.com:587', from: 'a@example.com', to: ['b@example.com'] };
  const problem = (options: Record<string, unknown>) =>
    email.spec.safeParse({ ...given, ...options }).error?.issues.map(({ message }) => message);

  it('take addresses with and without names, and several in one entry', () => {
    const { from, to } = email.spec.parse({
      ...given,
      from: 'Ops <a@example.com>',
      to: ['b@x.org, C <c@x.org>,', 'root@localhost'],
    });
    expect(from).toEqual({ name: 'Ops', address: 'a@example.com' });
    expect(to).toEqual([
      { name: '', address: 'b@x.org' },
      { name: 'C', address: 'c@x.org' },
      { name: '', address: 'root@localhost' },
    ]);
  });

  it.each([
    'nobody',
    'a@b\r\nBcc: c@d',
    'a@b <c@d>',
    '"x" <a@b>',
    'A <a@b> <c@d>',
    'a b@c',
    '@b',
    'a@',
    '',
    `${'x'.repeat(400)}@example.com`,
  ])('refuse an address that is none: %j', (address) => {
    expect(problem({ from: address })).toHaveLength(1);
    expect(problem({ to: [address] })).toHaveLength(1);
  });

  it('refuse a list that holds one that is none, or nobody, or a crowd', () => {
    expect(problem({ to: ['a@x.org, nobody'] })).toEqual([
      expect.stringMatching(/^holds a part that is not an address/),
    ]);
    expect(problem({ to: [] })).toEqual(['must name 1 to 50 addresses']);
    expect(problem({ to: [Array(51).fill('a@x.org').join()] })).toEqual(['must name 1 to 50 addresses']);
  });

  it.each(['http://x', 'smtp:', 'mail.example.com:25', 'smtp://', 'smtp://a:%zz@x'])(
    'refuse a server that is none: %j',
    (smtp) => {
      expect(problem({ smtp })).not.toBeUndefined();
    },
  );

  it('refuse to send a password in the open, except to this machine itself', () => {
    const smtp = `smtp://u:${['some', 'password'].join('-')}@HOST`;
    const at = (host: string) => problem({ tls: 'off', smtp: smtp.replace('HOST', host) });
    expect(at('mail.example.com')).toEqual(['cannot be off here: the password would travel in the open']);
    expect(at('127.0.0.1.example.com')).toHaveLength(1);
    for (const host of ['localhost', '127.0.0.1', '[::1]']) expect(at(host)).toBeUndefined();
    expect(problem({ tls: 'off' })).toBeUndefined();
    expect(problem({ tls: 'off', smtp: 'smtps://x' })).toEqual(['cannot be off with smtps://; write smtp://']);
  });
});
