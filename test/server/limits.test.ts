import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Fixture, startServer } from './fixture.ts';

const open: Socket[] = [];
let server: Fixture | undefined;

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
});

/** A connection and what it was told until the server ended it. */
function dial(port: number, send = ''): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(send);
      resolve(socket);
    });
    socket.once('error', reject);
    open.push(socket);
  });
}

function ended(socket: Socket): Promise<string> {
  let told = '';
  socket.on('data', (chunk) => {
    told += String(chunk);
  });
  return new Promise((resolve) => {
    socket.once('close', () => resolve(told));
    socket.on('error', () => undefined);
  });
}

test('a client that sends its headers slowly is let go', async () => {
  server = await startServer({ limits: { headersMs: 300 } });
  const socket = await dial(server.port, 'GET / HTTP/1.1\r\n');
  const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 50);
  try {
    expect(await ended(socket)).toContain('408');
  } finally {
    clearInterval(drip);
  }
});

test('a client that sends its body slowly is let go', async () => {
  server = await startServer({ limits: { requestMs: 500, headersMs: 300 } });
  const head = 'POST /ping/known-key HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n';
  const socket = await dial(server.port, head);
  const drip = setInterval(() => socket.write('x'), 50);
  try {
    expect(await ended(socket)).not.toContain('200 OK');
  } finally {
    clearInterval(drip);
  }
});

test('a client that says nothing is let go', async () => {
  server = await startServer({ limits: { idleMs: 300 } });
  await ended(await dial(server.port));
});

test('headers that are too large are refused', async () => {
  server = await startServer();
  const answer = await server.ask('/-/healthy', { headers: { 'x-large': 'a'.repeat(20_000) } });
  expect(answer.status).toBe(431);
});

test('beyond the cap on connections new ones are dropped, and old ones go on', async () => {
  server = await startServer({ limits: { connections: 5 } });
  const first = await dial(server.port);
  for (let count = 1; count < 5; count += 1) await dial(server.port);
  await ended(await dial(server.port));
  const answered = ended(first);
  first.write('GET /-/healthy HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  expect(await answered).toContain('healthy');
});

test('garbage is answered with 400 and harms nobody', async () => {
  server = await startServer();
  for (const bytes of ['\u0016\u0003\u0001 tls', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\n\n\n\u0000']) {
    await ended(await dial(server.port, bytes).then((socket) => socket.end()));
  }
  expect((await server.ask('/-/healthy')).status).toBe(200);
});

test('a client that breaks off in the middle of a body is no error of ours', async () => {
  server = await startServer();
  const head = 'POST /ping/known-key HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nhalf';
  const socket = await dial(server.port, head);
  socket.destroy();
  await ended(socket);
  expect((await server.post('/ping/known-key', 'whole')).status).toBe(200);
  expect(server.logged.filter(({ level }) => level === 'error')).toEqual([]);
});

test('closing ends idle connections at once and gives the others a moment', async () => {
  const fixture = await startServer({
    limits: { closeMs: 300 },
    metrics: { render: () => new Promise(() => undefined) },
  });
  const idle = await dial(fixture.port, 'GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await new Promise((resolve) => idle.once('data', resolve));
  const hung = await dial(fixture.port, 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const started = performance.now();
  const gone = Promise.all([ended(idle), ended(hung)]);
  await fixture.close();
  await gone;
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('a fix that takes long is waited for, beyond the idle limit', async () => {
  server = await startServer({ limits: { idleMs: 200 } });
  const answer = await server.post('/api/v1/remediations/slow/run', { probe: 'web' });
  expect(answer.json()).toMatchObject({ attempt: { remediation: 'slow', state: 'healed' } });
});

test('a port that is taken is an error of the system', async () => {
  server = await startServer();
  const taken = startServer({ listen: { host: '127.0.0.1', port: server.port } });
  await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
