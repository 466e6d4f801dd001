import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { supervisor } from '../../src/probe-types/supervisor.ts';
import { readAnswer, writeCall } from '../../src/shared/xml-rpc.ts';
import {
  answering,
  closedPort,
  deafPort,
  drip,
  flood,
  listen,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
  sleep,
} from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';
import { type Supervisord, startSupervisord } from '../estate/supervisord.ts';

const PASSWORD = ['correct', 'horse'].join('-');

const PROGRAMS = {
  steady: ['command=/bin/sleep 1000', 'startsecs=1'],
  crashed: ['command=/bin/sh -c "sleep 1.5; exit 3"', 'startsecs=1', 'autorestart=false'],
  killed: ['command=/bin/sleep 1000', 'startsecs=0', 'autorestart=false'],
  ended: ['command=/bin/true', 'startsecs=0', 'autorestart=unexpected'],
  looping: ['command=/bin/sh -c "exit 1"', 'startsecs=1', 'startretries=1000'],
  broken: ['command=/nonexistent/program', 'startretries=0'],
  manual: ['command=/bin/sleep 1000', 'autostart=false', 'startsecs=0'],
  kept: ['command=/bin/sleep 1000', 'startsecs=0'],
  slow: ['command=/bin/sleep 1000', 'startsecs=600', 'autostart=false'],
  'program:member': ['command=/bin/sleep 1000', 'startsecs=0'],
  'group:team': ['programs=member'],
};

let server: Supervisord;
beforeAll(async () => {
  server = await startSupervisord(PROGRAMS);
}, 60_000);
afterAll(() => server?.stop());

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(supervisor, supervisor.spec.parse(spec), { timeoutMs: 20_000, ...options });
const look = (program: string) => ask({ url: server.url, program });

async function until(program: string, state: string) {
  for (let round = 0; round < 200; round += 1) {
    const seen = await look(program);
    if (seen.fields['state'] === state) return seen;
    await sleep(100);
  }
  throw new Error(`${program} was never ${state}: ${JSON.stringify(await look(program))}`);
}

describe('a program of a real supervisord', { timeout: 40_000 }, () => {
  test('that runs is told with its process and how long it has run', async () => {
    await until('steady', 'running');
    await sleep(1_100);
    const { reason, error, fields } = await look('steady');
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      state: 'running',
      active: true,
      exit_code: undefined,
      spawn_error: undefined,
      pid: expect.any(Number),
      ip: '127.0.0.1',
    });
    expect(fields['uptime_s']).toBeGreaterThanOrEqual(1);
    expect(Object.keys(fields)).not.toContain('certificate');
  });

  test('that crashed has its exit code, and nobody stopped it', async () => {
    const seen = await until('crashed', 'exited');
    expect(seen).toMatchObject({
      reason: 'exit_code',
      error: expect.stringContaining('exit code 3'),
      fields: { exit_code: 3 },
    });
    expect(seen.intervention).toBeUndefined();
    await until('killed', 'running');
    await server.control('signal', 'KILL', 'killed');
    expect(await until('killed', 'exited')).toMatchObject({
      reason: 'exit_code',
      error: expect.stringContaining('a signal'),
    });
  });

  test('that ended well is stopped, by nobody', async () => {
    const seen = await until('ended', 'exited');
    expect(seen).toMatchObject({ reason: 'stopped', fields: { exit_code: 0, active: false } });
    expect(seen.intervention).toBeUndefined();
  });

  test('that ends again and again, and one that cannot start, say why', async () => {
    expect(await until('looping', 'backoff')).toMatchObject({
      reason: 'exit_code',
      fields: { spawn_error: expect.stringContaining('Exited too quickly') },
    });
    expect(await until('broken', 'fatal')).toMatchObject({
      reason: 'exit_code',
      error: expect.stringContaining("can't find command"),
    });
  });

  test('that a person stopped is told apart', async () => {
    await until('kept', 'running');
    await server.control('stop', 'kept');
    expect(await look('kept')).toMatchObject({
      reason: 'stopped',
      intervention: { certain: true, what: 'supervisorctl stop of kept' },
    });
    expect(await look('manual')).toMatchObject({ reason: 'stopped', intervention: { certain: false } });
  });

  test('that is on its way is not up yet', async () => {
    const starting = server.control('start', 'slow');
    expect(await until('slow', 'starting')).toMatchObject({ reason: 'unhealthy' });
    await server.control('stop', 'slow');
    await starting;
  });

  test('of a group is asked for by both names', async () => {
    expect(await look('team:member')).toMatchObject({ reason: 'ok' });
    expect(await look('member')).toMatchObject({ reason: 'not_found' });
  });

  test('that is not there says so', async () => {
    expect(await look('nobody')).toMatchObject({ reason: 'not_found', error: 'supervisord has no program nobody' });
  });

  test('is asked for over the unix socket as well', async () => {
    for (const url of [server.socket, `unix://${server.socket}`]) {
      expect(await ask({ url, program: 'steady' })).toMatchObject({ reason: 'ok', fields: { ip: undefined } });
    }
  });

  test('is looked at hundreds of times without a trace', async () => {
    await leavesNothing(async () => expect((await look('steady')).reason).toBe('ok'), 100, 20);
    await doesNotGrow(async () => void (await look('steady')));
    const overSocket = { url: server.socket, program: 'nobody' };
    await leavesNothing(async () => expect((await ask(overSocket)).reason).toBe('not_found'), 100, 20);
  });
});

test('a supervisord that wants a password gets it, and says when it is wrong', async () => {
  const closed = await startSupervisord(
    { web: ['command=/bin/sleep 1000', 'startsecs=0'] },
    { user: 'me', password: PASSWORD },
  );
  onTestFinished(() => closed.stop());
  const at = { url: closed.url, program: 'web' };
  expect(await ask(at)).toMatchObject({ reason: 'auth' });
  expect(await ask({ ...at, user: 'me', password: 'wrong-one' })).toMatchObject({ reason: 'auth' });
  expect(await ask({ ...at, user: 'me', password: PASSWORD })).toMatchObject({ reason: 'ok' });
}, 60_000);

test('a supervisord that stands still, is killed, and comes back', async () => {
  const own = await startSupervisord({ web: ['command=/bin/sleep 1000', 'startsecs=0'] });
  onTestFinished(() => own.stop());
  const at = { url: own.url, program: 'web' };
  own.pause();
  expect(await ask(at, { timeoutMs: 500 })).toMatchObject({ reason: 'timeout' });
  own.resume();
  while ((await ask(at)).reason !== 'ok') await sleep(50);
  await own.kill();
  expect(await ask(at)).toMatchObject({ reason: 'connect_refused' });
  expect(await ask({ ...at, url: own.socket })).toMatchObject({ reason: 'connect_refused' });
  await own.start();
  expect(await ask(at)).toMatchObject({ reason: 'ok' });
}, 60_000);

describe('what goes wrong has a reason', () => {
  const http = (body: string, head = 'HTTP/1.0 200 OK') => `${head}\r\nContent-Type: text/xml\r\n\r\n${body}`;
  const value = (inner: string) =>
    `<?xml version='1.0'?><methodResponse><params><param><value>${inner}</value></param></params></methodResponse>`;

  test('a socket that is not there', async () => {
    const url = join(server.folder, 'nothing.sock');
    expect(await ask({ url, program: 'web' })).toMatchObject({
      reason: 'connect_refused',
      error: 'there is no such socket',
    });
  });

  test('nobody listens, nobody answers, no such host', async () => {
    const at = (port: number) => ({ url: `http://127.0.0.1:${port}`, program: 'web' });
    expect(await ask(at(await closedPort()))).toMatchObject({ reason: 'connect_refused' });
    expect(await ask(at(await deafPort()), { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
    expect(await ask({ url: 'http://supervisor.invalid:9001', program: 'web' })).toMatchObject({ reason: 'dns' });
  });

  const fault = (name: string, given: string) =>
    `<methodResponse><fault><value><struct><member><name>${name}</name><value>${given}</value></member></struct></value></fault></methodResponse>`;
  const TO_STRING = '<struct><member><name>toString</name><value>x</value></member></struct>';

  test.each<[string, string, string]>([
    ['another status', http('', 'HTTP/1.0 404 Not Found'), 'http_status'],
    ['no HTTP', '220 ready\r\n', 'protocol'],
    ['a page', http('<html><body>hello</body></html>'), 'protocol'],
    ['no XML', http('hello'), 'protocol'],
    ['another answer', http(value('<string>hello</string>')), 'protocol'],
    ['an unknown element', http(value('<bomb>1</bomb>')), 'protocol'],
    ['half an answer', http(value('<struct><member><name>state</name>').slice(0, 120)), 'protocol'],
    [
      'a document type with entities',
      http(`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>${value('<string>&b;</string>')}`),
      'protocol',
    ],
    ['endless nesting', http(value('<array><data><value>'.repeat(50_000))), 'protocol'],
    ['countless values', http(value(`<array><data>${'<value/>'.repeat(50_000)}</data></array>`)), 'protocol'],
    [
      'a fault',
      http(
        '<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>6</int></value></member></struct></value></fault></methodResponse>',
      ),
      'unhealthy',
    ],
    ['a fault whose code is a structure', http(fault('faultCode', TO_STRING)), 'protocol'],
    ['a fault whose text is a structure', http(fault('faultString', TO_STRING)), 'protocol'],
    ['an answer that never ends', http('<methodResponse>'), 'timeout'],
    ['silence', '', 'timeout'],
  ])('%s', async (name, bytes, reason) => {
    const closes = reason !== 'timeout' && name !== 'no HTTP';
    const { port } = await serveRaw(answering(bytes, (socket) => closes && socket.end()));
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    expect(await ask({ url: `http://127.0.0.1:${port}`, program: 'web' }, { timeoutMs })).toMatchObject({ reason });
  });

  test('a flood and a drip', async () => {
    const flooding = await serveHttp((_request, response) => {
      response.writeHead(200);
      flood(response.socket as never, 'x'.repeat(65_536));
    });
    expect((await ask({ url: `http://127.0.0.1:${flooding.port}`, program: 'web' })).reason).not.toBe('ok');
    const dripping = await serveRaw(answering(http('<methodResponse>'), (socket) => drip(socket, ' ', 20)));
    const began = performance.now();
    const seen = await ask({ url: `http://127.0.0.1:${dripping.port}`, program: 'web' }, { timeoutMs: 400 });
    expect(seen).toMatchObject({ reason: 'timeout' });
    expect(performance.now() - began).toBeLessThan(1_400);
    await dripping.drained();
  });

  test('a large answer is not read to its end', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/xml' });
      for (let written = 0; written < 3; written += 1) response.write('x'.repeat(2 ** 20));
    });
    const { port } = await listen(server);
    expect(await ask({ url: `http://127.0.0.1:${port}`, program: 'web' })).toMatchObject({
      reason: 'body',
      error: 'the answer is larger than 1 MiB',
    });
  });

  test('a unix socket that answers nothing', async () => {
    const path = join(server.folder, 'silent.sock');
    const silent = createTcpServer((socket) => void socket.resume());
    await new Promise<void>((resolve) => silent.listen(path, resolve));
    onTestFinished(() => void silent.close());
    await leavesNothing(
      async () => expect((await ask({ url: path, program: 'web' }, { timeoutMs: 200 })).reason).toBe('timeout'),
      60,
      20,
    );
  });
});

describe('XML-RPC', () => {
  const answer = (inner: string) =>
    readAnswer(
      `<?xml version="1.0"?>\n<methodResponse><params><param><value>${inner}</value></param></params></methodResponse>`,
    );

  test.each<[string, unknown]>([
    ['plain', 'plain'],
    ['<string>a &lt;b&gt; &amp; &#99; &#x64; &nbsp;</string>', 'a <b> & c d &nbsp;'],
    ['<int>-1</int>', -1],
    ['<i4> 42 </i4>', 42],
    ['<double>1.5</double>', 1.5],
    ['<boolean>1</boolean>', true],
    ['<nil/>', null],
    ['<string/>', ''],
    ['<array><data><value>a</value><value><int>1</int></value></data></array>', ['a', 1]],
    [
      '<struct>\n <member>\n<name>__proto__</name> <value><int>1</int></value></member>\n</struct>',
      Object.fromEntries([['__proto__', 1]]),
    ],
  ])('reads %s', (inner, value) => {
    expect(answer(inner)).toEqual({ kind: 'answer', value });
  });

  test.each(['<int>x</int>', '<int></int>', '<struct><member></member></struct>', '<string>a</int>', '<!-- a -->'])(
    'does not read %s',
    (inner) => {
      expect(answer(inner)).toBeUndefined();
    },
  );

  test('writes what it is given as it is', () => {
    expect(writeCall('a.b', ['<&>', 1, true])).toContain(
      '<value><string>&lt;&amp;&gt;</string></value></param><param><value><int>1</int></value></param><param><value><boolean>1</boolean>',
    );
  });
});

describe('the definition', () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ url: 'ftp://host', program: 'web' }, /is not a supervisord/],
    [{ url: 'relative.sock', program: 'web' }, /is not a supervisord/],
    [{ url: '/run/s.sock', program: 'team:*' }, /is not the name of one program/],
    [{ url: '/run/s.sock', program: '' }, /is not the name of one program/],
    [{ url: '/run/s.sock', program: 'web', user: 'me' }, /belong together/],
  ])('%j is refused', (spec, message) => {
    expect(supervisor.spec.safeParse(spec).error?.issues[0]?.message).toMatch(message);
  });

  test('tells what a fix acts on, without credentials', () => {
    const url = `http://me:${PASSWORD}@Host.example:9001/`;
    const spec = supervisor.spec.parse({ url, program: 'web' });
    expect(supervisor.target(spec)).toBe('host.example:9001/web');
    expect(supervisor.resource?.(spec, {})).toEqual({
      kind: 'program',
      name: 'web',
      at: 'http://host.example:9001/RPC2',
    });
    const local = supervisor.spec.parse({ url: '/run/supervisor.sock', program: 'web' });
    expect(supervisor.target(local)).toBe('/run/supervisor.sock/web');
    expect(supervisor.remote?.(local)).toBeUndefined();
  });
});
