import type { Socket } from 'node:net';
import { createConnection } from 'mysql2';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ProbeOutput } from '../../src/ports.ts';
import { mysql } from '../../src/probe-types/mysql.ts';
import { drip, flood, probe, type RunOptions, serveRaw } from '../estate/hostile-network.ts';

const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(mysql, mysql.spec.parse(spec) as never, options);
const at = (port: number, parameters = '?ssl-mode=DISABLED') => `mysql://u:p-p-p-p@127.0.0.1:${port}/d${parameters}`;

function packet(sequence: number, ...parts: readonly (Buffer | string | number)[]): Buffer {
  const payload = Buffer.concat(
    parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))),
  );
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, payload]);
}

/** A greeting of protocol 10; `abilities` are the lower two bytes of its capabilities. */
function greeting(abilities = 0xf7df, plugin = 'mysql_native_password'): Buffer {
  const lower = Buffer.alloc(2);
  lower.writeUInt16LE(abilities);
  const salt = ['12345678', '\0', lower, 0x2d, '\x02\0', '\x0f\x00', 21, Buffer.alloc(10), '123456789012', '\0'];
  return packet(0, 10, '8.4.0\0', '\x01\0\0\0', ...salt, `${plugin}\0`);
}

const refusal = (sequence: number, number: number, text: string) =>
  packet(sequence, 0xff, number & 0xff, number >> 8, `#HY000${text}`);
const OK = (sequence: number) => packet(sequence, 0, 0, 0, '\x02\0\0\0');

/** The definition of a column called x, in UTF-8; 253 is a text. */
const column = (type = 253) =>
  Buffer.concat([
    Buffer.from('\x03def\0\0\0\x01x\0\x0c\x2d\0\xff\0\0\0', 'latin1'),
    Buffer.from([type, 0, 0, 0, 0, 0]),
  ]);
const END = '\xfe\0\0\x02\0';
/** An answer of one row. */
const table = (columns: readonly Buffer[], row: string) =>
  Buffer.concat(
    [Buffer.from([columns.length]), ...columns, Buffer.from(END, 'latin1'), row, Buffer.from(END, 'latin1')].map(
      (part, index) => packet(index + 1, part),
    ),
  );

/** Greets, then answers each thing that is said with the next of these. */
const talking =
  (...answers: readonly (Buffer | string)[]) =>
  (socket: Socket) => {
    const left = [...answers];
    socket.write(left.shift() ?? '');
    socket.on('data', () => void socket.write(left.shift() ?? ''));
  };

describe('what answers may be anything', () => {
  test.each<[string, readonly (Buffer | string)[], string, RegExp]>([
    ['a banner of something else', ['SSH-2.0-OpenSSH_9.2\r\n'], 'protocol', /does not speak MySQL/],
    ['a long banner of something else', ['x'.repeat(5_000)], 'protocol', /does not speak MySQL/],
    ['a packet of something else', [packet(0, 'hello world')], 'protocol', /does not speak MySQL/],
    ['an old protocol', [packet(0, 9, '3.21.0\0\x01\0\0\0salt')], 'protocol', /does not speak MySQL/],
    ['a greeting that is cut off', [packet(0, 10, '8.0')], 'protocol', /does not speak MySQL/],
    ['an empty greeting', [packet(0)], 'protocol', /does not speak MySQL/],
    ['more than a greeting', [Buffer.concat([greeting(), OK(1)])], 'protocol', /does not speak MySQL/],
    ['a server that is full', [refusal(0, 1040, 'Too many connections')], 'saturated', /1040/],
    ['a full server of old', [packet(0, 0xff, 0x10, 4, 'Too many connections')], 'saturated', /^Too many connections/],
    ['a host that may not', [refusal(0, 1130, 'Host is not allowed')], 'auth', /1130/],
    ['a host that is blocked', [refusal(0, 1129, 'Host is blocked')], 'unhealthy', /1129/],
    ['a server that goes down', [greeting(), refusal(2, 1053, 'Server shutdown in progress')], 'unhealthy', /1053/],
    [
      'a cluster that is not ready',
      [greeting(), OK(2), refusal(1, 1047, 'WSREP has not yet prepared')],
      'unhealthy',
      /1047/,
    ],
    ['an account that is locked', [greeting(), refusal(2, 3118, 'Account is locked')], 'auth', /3118/],
    ['an unknown way to log in', [greeting(), packet(2, 0xfe, 'from_mars\0', 'x'.repeat(20))], 'auth', /from_mars/],
    ['a wish for the password itself', [greeting(), packet(2, 0xfe, 'mysql_clear_password\0')], 'auth', /plaintext/],
    [
      'a key that is none',
      [greeting(0xf7df, 'caching_sha2_password'), packet(2, 1, 4), packet(4, 1, 'no key')],
      'protocol',
      /./,
    ],
    ['an answer that makes no sense', [greeting(), packet(2, 0x77, 'what')], 'protocol', /Unexpected packet/],
    ['packets out of order', [greeting(), OK(7)], 'protocol', /out of order/],
    ['an empty packet', [greeting(), packet(2)], 'protocol', /empty packet/],
    ['a huge packet', [greeting(), Buffer.from([0xff, 0xff, 0x7f, 2])], 'body', /larger than 1 MiB/],
    ['a wish for a file', [greeting(), OK(2), packet(1, 0xfb, '/etc/passwd')], 'timeout', /an answer/],
    ['columns without end', [greeting(), OK(2), packet(1, 0xfd, 0xff, 0xff, 0xff)], 'timeout', /deadline/],
    ['a column that is broken', [greeting(), OK(2), Buffer.concat([packet(1, 1), packet(2, 0xff)])], 'protocol', /./],
    ['a row that is too short', [greeting(), OK(2), table([column(), column()], 'x')], 'protocol', /Should not reach/],
    ['a column of JSON in UTF-8', [greeting(), OK(2), table([column(245)], '\x01x')], 'timeout', /an answer/],
    ['silence behind the greeting', [greeting()], 'timeout', /an answer/],
    ['silence behind the login', [greeting(), OK(2)], 'timeout', /an answer/],
    ['nobody', [], 'timeout', /deadline/],
  ])('%s', async (_name, answers, reason, message) => {
    const complaints = (['error', 'warn', 'trace', 'log'] as const).map((name) => vi.spyOn(console, name));
    onTestFinished(() => complaints.forEach((each) => void each.mockRestore()));
    const { port, drained } = await serveRaw(talking(...answers));
    const output = await ask({ url: at(port) }, { timeoutMs: reason === 'timeout' ? 400 : 10_000 });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    for (const each of complaints) expect(each).not.toHaveBeenCalled();
    await drained();
  });

  test('a connection that closes, at any time', async () => {
    for (const answers of [[], [greeting()], [greeting(), OK(2)]]) {
      const { port } = await serveRaw((socket) => {
        const left = [...answers];
        const next = left.shift();
        if (next) socket.write(next);
        else socket.end();
        socket.on('data', () => {
          const more = left.shift();
          if (more) socket.write(more);
          else socket.end();
        });
      });
      expect(await ask({ url: at(port) })).toMatchObject({
        reason: 'protocol',
        error: expect.stringContaining('closed'),
      });
    }
  });

  test('asked for TLS: garbage, silence, a close, bytes smuggled in', async () => {
    const upgraded = (answer: Buffer | string) => talking(greeting(0xf7df | 0x0800), answer);
    const verify = '?ssl-mode=REQUIRED';
    const garbage = await serveRaw(upgraded('nonsense'));
    expect(await ask({ url: at(garbage.port, verify) })).toMatchObject({ reason: 'tls' });
    const silent = await serveRaw(upgraded(''));
    expect(await ask({ url: at(silent.port, verify) }, { timeoutMs: 400 })).toMatchObject({
      reason: 'timeout',
      error: expect.stringContaining('TLS handshake'),
    });
    const closing = await serveRaw((socket) => {
      socket.write(greeting(0xf7df | 0x0800));
      socket.once('data', () => socket.end());
    });
    expect(await ask({ url: at(closing.port, verify) })).toMatchObject({ reason: 'tls' });
    const plain = await serveRaw(talking(greeting(0xf7df & ~0x0800)));
    expect(await ask({ url: at(plain.port, verify) })).toMatchObject({
      reason: 'tls',
      error: expect.stringMatching(/not offer TLS/),
    });
  });

  test('a flood ends at the cap, a drip at the deadline', async () => {
    const flooding = await serveRaw((socket) => {
      talking(greeting(), OK(2))(socket);
      let sequence = 0;
      setTimeout(() => {
        flood(
          socket,
          Buffer.concat(
            Array.from({ length: 256 * 4 }, () => {
              sequence = (sequence + 1) % 256;
              return packet(sequence, 'x'.repeat(60));
            }),
          ),
        );
      }, 200);
    });
    const output = await ask({ url: at(flooding.port) }, { timeoutMs: 5_000 });
    expect(['body', 'protocol']).toContain(output.reason);
    await flooding.drained();
    const dripping = await serveRaw((socket) => drip(socket, '\x01', 20));
    expect((await ask({ url: at(dripping.port) }, { timeoutMs: 400 })).reason).not.toBe('ok');
    await dripping.drained();
  });
});

/** What a MySQL 8.4 answers, by how the question begins. */
const MYSQL_ANSWERS: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>> = {
  'select version()': [{ 'version()': '8.4.3', '@@global.max_connections': '100', '@@global.read_only': '1' }],
  'show global status': [
    { Variable_name: 'Threads_connected', Value: '6' },
    { Variable_name: 'Uptime', Value: '7' },
    { Variable_name: 'constructor', Value: '8' },
    { Variable_name: '__proto__', Value: '9' },
  ],
  'show replica status': [
    { Replica_IO_Running: 'Yes', Replica_SQL_Running: 'Yes', Seconds_Behind_Source: '12', Last_SQL_Error: '' },
  ],
  'select value': [{ value: '42' }],
};

/** The name, and what makes it a text. */
const columnOf = (name: string) => ({
  ...{ catalog: 'def', schema: '', table: '', orgTable: '', name, orgName: '' },
  ...{ characterSet: 45, columnLength: 100, columnType: 253, flags: 0, decimals: 0 },
});

test('MySQL is asked in its own words', async () => {
  // Of the driver's own server, about the numbers of packets.
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => complaints.mockRestore());
  const heard: string[] = [];
  const { port } = await serveRaw((socket) => {
    const client = createConnection({ isServer: true, stream: socket });
    client.on('error', () => {});
    client.serverHandshake({
      ...{ protocolVersion: 10, serverVersion: '8.4.3', connectionId: 1, statusFlags: 2, characterSet: 45 },
      capabilityFlags: 0xffffff & ~0x0800,
      authCallback: (_login: unknown, done: (error: null) => void) => done(null),
    });
    const answer = (sql: string) => {
      heard.push(sql);
      // The driver's own server does not begin to count anew with each question, as the protocol has it.
      Object.assign(client, { sequenceId: 1 });
      const [, rows] = Object.entries(MYSQL_ANSWERS).find(([start]) => sql.startsWith(start)) ?? [];
      if (rows) client.writeTextResult(rows as never, Object.keys(rows[0] ?? {}).map(columnOf) as never);
      else socket.write(OK(1));
    };
    // What the driver's own server calls SET.
    client.on('query', answer).on('stmt_prepare', answer);
  });
  const output = await ask({ url: at(port), query: 'select value from t' });
  expect(output.error).toBeUndefined();
  expect(output).toMatchObject({
    reason: 'ok',
    fields: {
      version: '8.4.3',
      connections: 5,
      connections_percent: 5,
      read_only: true,
      role: 'replica',
      replication_running: true,
      replication_lag_s: 12,
      value: '42',
    },
  });
  // What is not asked for names no field.
  expect(Object.keys(output.fields).filter((name) => !Object.hasOwn(mysql.fields, name))).toEqual([]);
  const limits = heard.find((sql) => sql.startsWith('set session'));
  expect(limits).toMatch(/sql_select_limit = 101, max_execution_time = \d+$/);
  expect(heard).toContain('start transaction read only');
});
