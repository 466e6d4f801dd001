import type { Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { ProbeOutput } from '../../src/ports.ts';
import { smtp } from '../../src/probe-types/smtp.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import {
  closedPort,
  deafPort,
  drip,
  flood,
  listen,
  probe,
  type RunOptions,
  serveRaw,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type MailServer, type MailServerOptions, startMailServer } from '../estate/mail-server.ts';

const PASSWORD = ['correct', 'horse', 'ü'].join('-');
const LOGIN = { user: 'probe@example.com', pass: PASSWORD };
const MAIL = { from: 'probe@example.com', to: 'sink@example.com' };
const USERINFO = `${encodeURIComponent(LOGIN.user)}:${encodeURIComponent(LOGIN.pass)}@`;

let authority: Authority;
let keys: KeyPair;
beforeAll(async () => {
  authority = await createAuthority();
  keys = await authority.issue('mail', { names: 'DNS:localhost,IP:127.0.0.1', days: 30 });
});
afterAll(() => authority.remove());

const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(smtp, smtp.spec.parse(spec) as never, { timeoutMs: 20_000, ...options });

async function serve(options: MailServerOptions = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  onTestFinished(() => server.close());
  return server;
}

const at = (port: number, userinfo = '') => `smtp://${userinfo}127.0.0.1:${port}`;
const trusted = () => ({ tls: { ca: authority.cert } });

describe('a mail server', () => {
  test('greets, and says what it is able to', async () => {
    const server = await serve();
    const output = await ask({ url: at(server.port) });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({ reason: 'ok', fields: { accepted: true, ip: '127.0.0.1' } });
    expect(output.fields['banner']).toMatch(/ESMTP/);
    expect(output.fields['capabilities']).toContain('8BITMIME');
    expect(server.mails()).toEqual([]);
    await expect.poll(() => server.openConnections()).toBe(0);
  });

  test('over STARTTLS shows its certificate, judged', async () => {
    const server = await serve({ keys });
    const fields = { accepted: true, tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=mail,O=Test' } };
    expect(await ask({ url: at(server.port), ...trusted() })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url: at(server.port), starttls: 'optional' })).toMatchObject({
      reason: 'tls',
      fields: { certificate: { subject: 'CN=mail,O=Test' } },
    });
    expect(await ask({ url: at(server.port), tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
    // By default nothing is asked of it on this machine, as by the notifier.
    for (const spec of [{}, { starttls: 'off' }]) {
      const open = await ask({ url: at(server.port), ...spec });
      expect(open).toMatchObject({ reason: 'ok' });
      expect(open.fields['tls']).toBeUndefined();
    }
    const expired = await serve({
      keys: await authority.issue('old', { names: 'IP:127.0.0.1', days: 30, agoDays: 40 }),
    });
    expect(await ask({ url: at(expired.port), ...trusted() })).toMatchObject({ reason: 'certificate_expired' });
  });

  test('over TLS from the first byte', async () => {
    const server = await serve({ keys, secure: true, login: LOGIN });
    const url = `smtps://${USERINFO}127.0.0.1:${server.port}`;
    expect(await ask({ url, ...trusted() })).toMatchObject({
      reason: 'ok',
      fields: { certificate: { subject: 'CN=mail,O=Test' } },
    });
    const plain = await serve();
    expect(await ask({ url: `smtps://127.0.0.1:${plain.port}` })).toMatchObject({ reason: 'tls' });
  });

  test('without STARTTLS is a failure where it is required', async () => {
    const server = await serve();
    expect(await ask({ url: at(server.port), starttls: 'required' })).toMatchObject({
      reason: 'tls',
      error: 'the server does not offer STARTTLS',
    });
  });

  test('lets in who knows the password, and nobody else', async () => {
    const server = await serve({ keys, login: LOGIN });
    expect(await ask({ url: at(server.port, USERINFO), ...trusted() })).toMatchObject({ reason: 'ok' });
    const wrong = await ask({ url: at(server.port, 'probe%40example.com:wrong-secret@'), ...trusted() });
    // The server of the test repeats the password in its refusal.
    expect(wrong).toMatchObject({ reason: 'auth', error: 'AUTH was refused: 535 5.7.8', fields: { accepted: false } });
    server.fail({ at: 'AUTH', code: 454, text: '4.7.0 try later' });
    expect(await ask({ url: at(server.port, USERINFO), ...trusted() })).toMatchObject({ reason: 'unhealthy' });
    const open = await serve({ keys });
    expect((await ask({ url: at(open.port, USERINFO), ...trusted() })).reason).toBe('auth');
  });

  test('accepts a recipient, and no mail comes of it', async () => {
    const server = await serve();
    expect(await ask({ url: at(server.port), mail: MAIL })).toMatchObject({ reason: 'ok', fields: { accepted: true } });
    await expect.poll(() => server.openConnections()).toBe(0);
    expect(server.mails()).toEqual([]);
  });

  test('accepts a whole mail', async () => {
    const server = await serve({ keys, login: LOGIN });
    const spec = { url: at(server.port, USERINFO), mail: { ...MAIL, deliver: true }, ...trusted() };
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { accepted: true } });
    const [mail] = server.mails();
    expect(mail).toMatchObject({ recipients: ['sink@example.com'], user: LOGIN.user, encrypted: true });
    expect(mail?.parsed).toMatchObject({ subject: 'Brainstem: probe test' });
    expect(mail?.parsed.from?.text).toContain('probe@example.com');
    expect(Math.abs(Number(mail?.parsed.date) - Date.now())).toBeLessThan(60_000);
    expect(mail?.parsed.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.parsed.text).toMatch(/It can be deleted\.\s*$/);
  });

  test.each([
    ['RCPT', 550, '5.1.1 no such user', 'not_found'],
    ['RCPT', 550, 'no such user', 'not_found'],
    ['RCPT', 554, '5.7.1 relay access denied', 'auth'],
    ['RCPT', 452, '4.2.2 mailbox full', 'saturated'],
    ['RCPT', 452, 'too many recipients', 'saturated'],
    ['RCPT', 450, '4.7.1 greylisted', 'unhealthy'],
    ['MAIL', 530, '5.7.0 authentication required', 'auth'],
    ['MAIL', 452, '4.3.1 insufficient system storage', 'saturated'],
    ['MAIL', 421, '4.3.2 shutting down', 'unhealthy'],
    ['DATA', 554, '5.7.1 looks like spam', 'auth'],
    ['DATA', 552, 'over quota', 'saturated'],
    ['DATA', 451, 'local error', 'unhealthy'],
  ] as const)('that refuses at %s with %i %s is %s', async (step, code, text, reason) => {
    const server = await serve();
    server.fail({ at: step, code, text });
    const output = await ask({ url: at(server.port), mail: { ...MAIL, deliver: true } });
    expect(output).toMatchObject({ reason, fields: { accepted: false } });
    expect(output.error).toContain(`${code} ${text}`);
  });

  test('that takes a mail and never says so is given up at the deadline', async () => {
    const server = await serve();
    server.hang();
    const output = await ask({ url: at(server.port), mail: { ...MAIL, deliver: true } }, { timeoutMs: 600 });
    expect(output).toMatchObject({ reason: 'timeout' });
    expect(output.fields['accepted']).toBeUndefined();
  });
});

test('no connection: refused, unanswered, unreachable, without a name', async () => {
  expect(await ask({ url: at(await closedPort()) })).toMatchObject({ reason: 'connect_refused' });
  expect(await ask({ url: at(await deafPort()) }, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
  expect(await ask({ url: 'smtp://224.0.0.1' })).toMatchObject({ reason: 'unreachable' });
  expect(await ask({ url: 'smtp://mail.invalid' })).toMatchObject({ reason: 'dns' });
});

/** Says one thing at a time: first by itself, then to each line that it hears. Nothing once it has said all. */
const saying =
  (...answers: readonly string[]) =>
  (socket: Socket) => {
    const left = [...answers];
    socket.write(left.shift() ?? '');
    socket.on('data', () => {
      const next = left.shift();
      if (next !== undefined) socket.write(next);
    });
  };

const HELLO = '250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n';

describe('what answers may be anything', () => {
  test.each<[string, readonly string[], string, RegExp]>([
    ['an HTTP server', ['HTTP/1.1 400 Bad Request\r\n\r\n'], 'protocol', /does not speak SMTP/],
    ['an SSH server', ['SSH-2.0-OpenSSH_9.2\r\n'], 'protocol', /does not speak SMTP/],
    ['a line without an end', ['220-'.padEnd(5_000, 'x')], 'protocol', /does not speak SMTP/],
    ['lines without an end', ['220-x\r\n'.repeat(101)], 'protocol', /does not speak SMTP/],
    ['a code that makes no sense', ['354 go on\r\n'], 'protocol', /makes no sense/],
    ['a server that takes nobody', ['554 5.3.2 no service here\r\n'], 'unhealthy', /554/],
    ['a server that is busy', ['421 4.4.5 too many connections\r\n'], 'saturated', /421/],
    ['a server that knows us not', ['220 hi\r\n', '550 5.7.1 go away\r\n'], 'auth', /EHLO was refused/],
    ['STARTTLS that is refused', ['220 hi\r\n', HELLO, '454 4.3.0 no key\r\n'], 'tls', /STARTTLS was refused: 454/],
    ['STARTTLS, and then something else', ['220 hi\r\n', HELLO, '220 go\r\n', 'nonsense'], 'tls', /TLS failed/],
    ['STARTTLS, and then silence', ['220 hi\r\n', HELLO, '220 go\r\n'], 'timeout', /TLS handshake/],
    [
      'an answer smuggled in before TLS',
      ['220 hi\r\n', HELLO, '220 go\r\n250 you are in\r\n'],
      'protocol',
      /before the TLS/,
    ],
    ['half an answer', ['220 hi\r\n', '250-mail\r\n'], 'timeout', /an answer/],
    ['nobody', [''], 'timeout', /an answer/],
  ])('%s', async (_name, answers, reason, message) => {
    const { port, drained } = await serveRaw(saying(...answers));
    const output = await ask(
      { url: at(port), starttls: 'optional' },
      { timeoutMs: reason === 'timeout' ? 400 : 10_000 },
    );
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    await drained();
  });

  test('a server of old that knows HELO alone', async () => {
    const { port } = await serveRaw(saying('220 hi\r\n', '500 what?\r\n', '250 hello\r\n'));
    expect(await ask({ url: at(port) })).toMatchObject({ reason: 'ok', fields: { capabilities: [] } });
  });

  test('a server that offers LOGIN alone, and one that offers neither', async () => {
    const said: string[] = [];
    const serve = (answers: readonly string[]) =>
      serveRaw((socket) => {
        socket.on('data', (data) => said.push(data.toString().trim()));
        saying(...answers)(socket);
      });
    const old = await serve(['220 hi\n', '250-mail\n250 AUTH=LOGIN\n', '334 VXNl\n', '334 UGFz\n', '235 ok\n']);
    expect(await ask({ url: at(old.port, 'u:p-p-p@') })).toMatchObject({ reason: 'ok' });
    expect(said.slice(1, 4)).toEqual(['AUTH LOGIN', 'dQ==', Buffer.from('p-p-p').toString('base64')]);
    const other = await serve(['220 hi\r\n', '250-mail\r\n250 AUTH XOAUTH2 GSSAPI\r\n']);
    expect(await ask({ url: at(other.port, 'u:p-p-p@') })).toMatchObject({
      reason: 'auth',
      error: expect.stringContaining('XOAUTH2'),
    });
    const tricky = await serve(['220 hi\r\n', '250-mail\r\n250 AUTH PLAIN\r\n', '334 more\r\n']);
    expect(await ask({ url: at(tricky.port, 'u:p-p-p@') })).toMatchObject({ reason: 'protocol' });
  });

  test('a connection that closes, at any time', async () => {
    for (const answers of [[], ['220 hi\r\n'], ['220 hi\r\n', '250 mail\r\n']]) {
      const { port } = await serveRaw((socket) => {
        const left = [...answers];
        const answer = () => {
          const next = left.shift();
          if (next === undefined) socket.end();
          else socket.write(next);
        };
        answer();
        socket.on('data', answer);
      });
      const output = await ask({ url: at(port), mail: MAIL });
      expect(output).toMatchObject({ reason: 'protocol', error: expect.stringContaining('closed') });
    }
  });

  test('a flood, a drip, an answer in single bytes', async () => {
    const flooding = await serveRaw((socket) => flood(socket, '220-x\r\n'.repeat(5_000)));
    expect(await ask({ url: at(flooding.port) })).toMatchObject({ reason: 'protocol' });
    await flooding.drained();
    const dripping = await serveRaw((socket) => drip(socket, '2', 20));
    expect((await ask({ url: at(dripping.port) }, { timeoutMs: 300 })).reason).not.toBe('ok');
    const slow = await serveRaw((socket) => {
      const say = (text: string) => {
        for (const character of text) socket.write(character);
      };
      say('220 hi\r\n');
      socket.on('data', () => say('250-mail\r\n250 SIZE 5\r\n'));
    });
    expect(await ask({ url: at(slow.port) })).toMatchObject({ reason: 'ok', fields: { capabilities: ['SIZE 5'] } });
  });

  test('behind TLS too', async () => {
    const server = createTlsServer(keys, saying('250 out of turn\r\n'));
    const { port } = await listen(server);
    expect(await ask({ url: `smtps://127.0.0.1:${port}`, ...trusted() })).toMatchObject({ reason: 'protocol' });
  });
});

test('hundreds of runs leave nothing behind', async () => {
  const server = await serve();
  await leavesNothing(async () => expect((await ask({ url: at(server.port), mail: MAIL })).reason).toBe('ok'), 300, 50);
  server.fail({ at: 'RCPT', code: 550 });
  const refused = { url: at(server.port), mail: MAIL };
  await leavesNothing(async () => expect((await ask(refused)).reason).toBe('not_found'), 300, 50);
  const { port } = await serveRaw(saying('220 hi\r\n'));
  await leavesNothing(async () => expect((await ask({ url: at(port) }, { timeoutMs: 300 })).reason).toBe('timeout'));
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'http://h' }, /is not a URL/],
    [{ url: 'smtp://h/path' }, /behind the port/],
    [{ url: 'smtp://user@h' }, /without a password/],
    [{ url: 'smtps://h', starttls: 'required' }, /does not go with/],
    [{ url: 'smtp://u:p@h', starttls: 'off' }, /in the open/],
    [{ url: 'smtp://h', mail: { from: 'a@b', to: 'a@b>\r\nDATA' } }, /not an address/],
    [{ url: 'smtp://h', hello: 'a b' }, /host name/],
  ])('%j is refused', (spec, message) => {
    const [issue] = smtp.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    ['smtp://u:secret@Mail.example', 'smtp://mail.example:587'],
    ['smtps://[::1]', 'smtps://[::1]:465'],
    ['smtp://mail.example:25', 'smtp://mail.example:25'],
  ])('the target of %s is %s', (url, target) => {
    expect(smtp.target(smtp.spec.parse({ url }) as never)).toBe(target);
  });

  test('the example is valid', () => {
    const [definition] = parse(smtp.example);
    expect(smtp.spec.safeParse(definition.smtp).error).toBeUndefined();
  });
});
