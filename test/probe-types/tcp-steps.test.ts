/** What a dialogue over TCP can do beyond sending and expecting: TLS in the middle, bytes, captures and observed texts. */
import type { Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileCondition, NO_WINDOW } from '../../src/engine/condition.ts';
import type { Observation } from '../../src/model.ts';
import { tcp } from '../../src/probe-types/tcp.ts';
import { serveCommands } from '../estate/command-server.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { drip, flood, listen, probe, serveRaw } from '../estate/hostile-network.ts';

const PASSWORD = ['correct', 'horse'].join('-');

let authority: Authority;
let good: KeyPair;
let expired: KeyPair;

beforeAll(async () => {
  authority = await createAuthority();
  good = await authority.issue('good', { names: 'DNS:mail.test,IP:127.0.0.1', days: 30 });
  expired = await authority.issue('expired', { names: 'IP:127.0.0.1', days: 30, agoDays: 40 });
});

afterAll(() => authority.remove());

const ask = (spec: Record<string, unknown>, options = {}) =>
  probe(tcp, tcp.spec.parse({ host: '127.0.0.1', ...spec }) as never, options);

const upgrade = [{ expect: '^220' }, { send: 'STARTTLS\r\n' }, { expect: '^220' }, { starttls: true }];

describe('TLS', () => {
  test('from the first byte on', async () => {
    const server = await listen(createTlsServer(good, (socket) => socket.end('220 secret ready\r\n')));
    const spec = { port: server.port, tls: { ca: authority.cert }, steps: [{ expect: '^220 secret' }] };
    const { reason, error, fields } = await ask(spec);
    expect({ reason, error }).toEqual({ reason: 'ok', error: undefined });
    expect(fields).toMatchObject({
      banner: '220 secret ready\r\n',
      certificate: { subject: 'CN=good,O=Test', expires_in_days: expect.closeTo(30, 1) },
      tls: { version: 'TLS 1.3' },
    });
    expect((fields['phases'] as { tls_ms: number }).tls_ms).toBeGreaterThan(0);
    await server.drained();
  });

  test('without a dialogue', async () => {
    const server = createTlsServer(good);
    server.on('tlsClientError', () => {});
    const { port } = await listen(server);
    expect(await ask({ port, tls: { ca: authority.cert } })).toMatchObject({ reason: 'ok' });
    expect(await ask({ port, tls: {} })).toMatchObject({
      reason: 'tls',
      fields: { certificate: { subject: expect.stringMatching(/good/) } },
    });
    expect(await ask({ port, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
  });

  test('in the middle of a dialogue, which goes on over it', async () => {
    const heard: string[] = [];
    const server = await serveCommands(good, (command, isSecured) => {
      heard.push(`${command} ${isSecured}`);
      return command === 'QUIT' ? '221 bye\r\n' : '250 fine\r\n';
    });
    const steps = [
      { expect: '^220' },
      { send: 'EHLO me\r\n' },
      { expect: '^250' },
      ...upgrade.slice(1),
      { send: 'EHLO again\r\n' },
      { expect: '^250' },
      { send: 'QUIT\r\n' },
      { expect: '^221' },
    ];
    const { reason, error, fields } = await ask({ port: server.port, tls: { ca: authority.cert }, steps });
    expect({ reason, error }).toEqual({ reason: 'ok', error: undefined });
    expect(heard).toEqual(['EHLO me false', 'EHLO again true', 'QUIT true']);
    expect(fields).toMatchObject({ certificate: { subject: 'CN=good,O=Test' }, tls: { version: 'TLS 1.3' } });
    await server.drained();
  });

  test('in the middle of a dialogue is judged as anywhere', async () => {
    const fine = await serveCommands(good, () => '250 fine\r\n');
    const old = await serveCommands(expired, () => '250 fine\r\n');
    const at = (port: number, tls: object) => ask({ port, tls, steps: upgrade });
    expect(await at(fine.port, {})).toMatchObject({
      reason: 'tls',
      error: expect.stringMatching(/^step 4 \(starttls\): the certificate/),
    });
    expect(await at(fine.port, { ca: authority.cert, server_name: 'mail.test' })).toMatchObject({ reason: 'ok' });
    expect(await at(fine.port, { ca: authority.cert, server_name: 'web.test' })).toMatchObject({
      reason: 'tls',
      error: expect.stringMatching(/not for web.test/),
    });
    expect(await at(old.port, { ca: authority.cert })).toMatchObject({
      reason: 'certificate_expired',
      fields: { certificate: { subject: 'CN=expired,O=Test' } },
    });
    await fine.drained();
    await old.drained();
  });

  test('what came in the clear is no answer over TLS', async () => {
    const { port } = await serveRaw((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('220 go ahead\r\n250 injected\r\n');
        new TLSSocket(socket, { isServer: true, ...good }).on('error', () => {});
      });
    });
    const steps = [...upgrade.slice(1), { expect: '^250 injected' }];
    const output = await ask({ port, tls: { ca: authority.cert }, steps }, { timeoutMs: 500 });
    expect(output).toMatchObject({ reason: 'timeout', error: expect.stringMatching(/^step 4 \(expect\)/) });
  });

  test.each<[string, (socket: Socket) => void, string, RegExp]>([
    ['silence', () => {}, 'timeout', /step 4 \(starttls\).*TLS handshake/],
    ['a drip', dripRecord, 'timeout', /TLS handshake/],
    ['nonsense', (socket) => socket.write('500 what?\r\n'), 'tls', /TLS failed/],
    ['the end', (socket) => socket.end(), 'tls', /closed during the TLS handshake/],
    ['a reset', (socket) => socket.resetAndDestroy(), 'tls', /closed during the TLS handshake/],
    ['a flood', (socket) => flood(socket, 'x'.repeat(9_999)), 'tls', /TLS failed/],
  ])('%s instead of a handshake', async (_name, behave, reason, message) => {
    const server = await serveRaw((socket) => {
      socket.write('220 ready\r\n');
      socket.once('data', () => {
        socket.write('220 go ahead\r\n');
        socket.once('data', () => behave(socket));
      });
    });
    const timeoutMs = reason === 'timeout' ? 400 : 10_000;
    const output = await ask({ port: server.port, steps: upgrade }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    await server.drained();
  });
});

/** A record of 8 KiB, a byte at a time. */
function dripRecord(socket: Socket): void {
  socket.write(Buffer.from('160303200002001ffc', 'hex'));
  drip(socket, '\0', 20);
}

describe('captures', () => {
  test('by number and by name are sent back, and stand for themselves in patterns', async () => {
    const heard: string[] = [];
    const server = await serveRaw((socket) => {
      socket.write('+OK ready <17.a*b@mail.test>\r\n');
      socket.on('data', (data) => {
        heard.push(data.toString());
        socket.write(data);
      });
    });
    const steps = [
      { expect: '^\\+OK (\\w+) (?P<stamp><.*>)' },
      { send: '{{1}} {{2}} {{stamp}}\r\n' },
      { expect: '^ready {{stamp}} {{stamp}}' },
    ];
    expect(await ask({ port: server.port, steps })).toMatchObject({ reason: 'ok' });
    expect(heard).toEqual(['ready <17.a*b@mail.test> <17.a*b@mail.test>\r\n']);
  });

  test('with a name are whole, however the answer is cut into packets', async () => {
    const { port } = await serveRaw((socket) => socket.write('SSH-2.0-Open'));
    const { port: slow } = await serveRaw((socket) => {
      const text = [...'SSH-2.0-OpenSSH_9.2p1 Debian\r\n'];
      const timer = setInterval(() => (text.length > 0 ? socket.write(text.shift() ?? '') : clearInterval(timer)), 5);
      socket.on('close', () => clearInterval(timer));
    });
    const steps = [{ expect: '^SSH-2.0-(?P<version>\\S+)' }, { observe: { version: '{{version}}' } }];
    expect(await ask({ port: slow, steps })).toMatchObject({
      reason: 'ok',
      fields: { observed: { version: 'OpenSSH_9.2p1' } },
    });
    expect(await ask({ port, steps }, { timeoutMs: 300 })).toMatchObject({ reason: 'timeout' });
  });

  test('are observed for conditions and as labels, and a missing one is a failed condition', async () => {
    const { port } = await serveRaw((socket) => socket.write('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'));
    const steps = [
      { expect_line: '^SSH-2.0-([^ -]+)(?: (.*))?$' },
      { observe: { version: '{{1}}', comment: '{{2}}' } },
    ];
    const { reason, fields } = await ask({ port, steps });
    expect(reason).toBe('ok');
    const labels = { version: 'OpenSSH_9.2p1', comment: 'Debian-2' };
    expect(fields['observed']).toEqual(labels);
    const family = tcp.families.find(({ name }) => name === 'probe_expect_info');
    expect(family?.sample(fields, {} as Observation)).toEqual([{ labels, value: 1 }]);
    const scope = { fields: tcp.fields, everyMs: 1_000, windows: true, location: { file: '', line: 1, column: 1 } };
    const bindings = { ...fields, ok: true, reason: 'ok' as const, latency_ms: 1, error: null };
    const decide = (source: string) => compileCondition(source, scope).evaluate(bindings, NO_WINDOW).outcome;
    expect(decide('observed.version.startsWith("OpenSSH_9")')).toBe('true');
    expect(decide('observed.absent == "x"')).toBe('false');
  });

  test('are not shown when a later step fails', async () => {
    const { port } = await serveRaw((socket) => socket.write('+OK <a-fresh-nonce>\r\n'));
    const steps = [{ expect: '<(?P<nonce>.*)>' }, { expect: '^never {{nonce}}' }];
    const output = await ask({ port, steps }, { timeoutMs: 300 });
    expect(output.error).toBe('step 2 (expect): the deadline passed while waiting for an answer');
    const { port: closing } = await serveRaw((socket) => socket.end('+OK <a-fresh-nonce>\r\n'));
    const closed = await ask({ port: closing, steps });
    expect(closed.error).toBe('step 2 (expect): the connection was closed before it sent ^never {{nonce}}');
  });
});

describe('lines', () => {
  const greeting = (text: string) => serveRaw((socket) => socket.write(text));

  test('are looked at whole, one after the other, and without their ends', async () => {
    const { port } = await greeting('250-one\r\n250-two\r\n250 three\r\n');
    const steps = [{ expect_line: '^250 (.*)$' }, { observe: { last: '{{1}}' } }];
    expect(await ask({ port, steps })).toMatchObject({ reason: 'ok', fields: { observed: { last: 'three' } } });
  });

  test('that are passed over are not looked at again', async () => {
    const { port } = await greeting('one\r\ntwo\r\n');
    const steps = [{ expect_line: 'two' }, { expect_line: 'one' }];
    expect(await ask({ port, steps }, { timeoutMs: 300 })).toMatchObject({
      reason: 'timeout',
      error: expect.stringMatching(/step 2/),
    });
  });

  test('of which the last has no end count when the connection ends', async () => {
    const { port } = await serveRaw((socket) => socket.end('one\r\ntwo'));
    expect(await ask({ port, steps: [{ expect_line: '^two$' }] })).toMatchObject({ reason: 'ok' });
  });

  test('without end are a failure', async () => {
    const { port } = await serveRaw((socket) => flood(socket, 'x\r\n'.repeat(3_333)));
    expect(await ask({ port, steps: [{ expect_line: 'two' }] })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/much was received, but not two/),
      fields: { expect_failed: true },
    });
  });
});

test('a refusal ends the run at once, and says that it is one', async () => {
  const server = await serveCommands(good, (command) =>
    command === `LOGIN jo ${PASSWORD}` ? 'OK in\r\n' : 'NO go away\r\n',
  );
  const steps = [
    { expect: '^220' },
    { send: 'LOGIN jo {{password}}\r\n' },
    { name: 'log in', expect: { match: '^OK', fail: { auth: '^(NO|BAD)', saturated: '^BYE' } } },
  ];
  expect(await ask({ port: server.port, steps, secrets: { password: PASSWORD } })).toMatchObject({ reason: 'ok' });
  const output = await ask({ port: server.port, steps, secrets: { password: 'wrong-horse' } });
  expect(output).toMatchObject({ reason: 'auth', error: 'step 3 (log in): it sent ^(NO|BAD) instead of ^OK' });
});

test('bytes are sent as they are written', async () => {
  const server = await serveRaw((socket) => {
    socket.once('data', (data) => socket.write(data.toString('hex') === '0000000804d2162f' ? 'S' : 'N'));
  });
  const steps = [{ send_hex: '00000008 04d2 162F' }, { expect: '^S' }];
  expect(await ask({ port: server.port, steps })).toMatchObject({ reason: 'ok' });
});

test('whether an expectation failed is told apart from a deadline', async () => {
  const family = tcp.families.find(({ name }) => name === 'probe_failed_due_to_regex');
  const closing = await serveRaw((socket) => socket.end('421 busy\r\n'));
  const quiet = await serveRaw(() => {});
  const steps = [{ expect: '^220' }];
  const closed = await ask({ port: closing.port, steps });
  const waited = await ask({ port: quiet.port, steps }, { timeoutMs: 300 });
  expect(closed).toMatchObject({ reason: 'protocol', fields: { expect_failed: true } });
  expect(waited).toMatchObject({ reason: 'timeout', fields: { expect_failed: false } });
  expect([closed, waited].map(({ fields }) => family?.sample(fields, {} as Observation))).toEqual([1, 0]);
});
