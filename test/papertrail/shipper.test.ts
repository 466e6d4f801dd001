import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PapertrailSettings } from '../../src/model.ts';
import { createShipper, type Shipper } from '../../src/papertrail/shipper.ts';
import { freePort, until } from '../estate/daemon.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { type SyslogServer, type SyslogServerOptions, startSyslogServer } from '../estate/syslog-server.ts';
import { type Logged, recordingLog } from '../server/world.ts';

const PATIENCE = { connectMs: 5_000, stallMs: 30_000, retryMs: 20, longestRetryMs: 100 };

let authority: Authority;
let keyPair: KeyPair;

beforeAll(async () => {
  authority = await createAuthority();
  keyPair = await authority.issue('logs', { names: 'IP:127.0.0.1', days: 30 });
});

afterAll(() => authority.remove());

async function serve(options: SyslogServerOptions): Promise<SyslogServer> {
  const server = await startSyslogServer({ keyPair, ...options });
  onTestFinished(() => server.stop().catch(() => undefined));
  return server;
}

interface Shipping {
  readonly shipper: Shipper;
  readonly logged: Logged[];
  dropped(): number;
  log(from: number, to: number): void;
}

function shipTo(settings: Partial<PapertrailSettings> & { readonly port: number }, patience = PATIENCE): Shipping {
  const logged: Logged[] = [];
  let dropped = 0;
  const shipper = createShipper({
    destination: { host: '127.0.0.1', protocol: 'tcp', program: 'brainstem', hostname: 'tower', ...settings },
    pid: 4711,
    patience,
    onDropped: (lines) => {
      dropped += lines;
    },
  });
  shipper.start(recordingLog(logged));
  onTestFinished(() => shipper.stop(0));
  return {
    shipper,
    logged,
    dropped: () => dropped,
    log(from, to) {
      for (let number = from; number < to; number++) shipper.write(line(number));
    },
  };
}

const line = (number: number, level = 'info') =>
  `{"level":"${level}","time":"2026-01-02T03:04:05.094Z","number":${number},"event":"counted"}\n`;
const numbersOf = (server: SyslogServer) =>
  server.messages().map((message) => Number(/"number":(\d+)/.exec(message)?.[1]));
const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, index) => from + index);
const events = ({ logged }: Shipping) => logged.map(({ event }) => event);

function receives(server: SyslogServer, count: number): Promise<unknown> {
  return until(() => server.messages().length >= count, {
    ...{ what: `${count} messages`, withinMs: 30_000 },
  });
}

describe.each(['udp', 'tcp', 'tls'] as const)('over %s', (protocol) => {
  const destination = (port: number) => ({ protocol, port, ...(protocol === 'tls' && { ca: authority.cert }) });

  test('every level has its severity, its own time to the millisecond, and the line as it is', async () => {
    const server = await serve({ protocol });
    const { shipper } = shipTo(destination(server.port));
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
    for (const [number, level] of levels.entries()) shipper.write(line(number, level));
    await receives(server, levels.length);
    const priorities = [15, 15, 14, 12, 11, 10];
    expect(server.messages()).toEqual(
      levels.map((level, number) => {
        const header = `<${priorities[number]}>1 2026-01-02T03:04:05.094Z tower brainstem 4711 - - `;
        return header + line(number, level).trimEnd();
      }),
    );
  });

  test('lines keep their order', async () => {
    const server = await serve({ protocol });
    const shipping = shipTo(destination(server.port));
    for (let from = 0; from < 600; from += 100) {
      shipping.log(from, from + 100);
      await receives(server, from + 100);
    }
    expect(numbersOf(server)).toEqual(upTo(600));
    expect(server.connections()).toBe(protocol === 'udp' ? 0 : 1);
    expect(shipping.logged).toEqual([]);
  });

  test('a line of many kilobytes arrives, cut within a character or not', async () => {
    const server = await serve({ protocol });
    const { shipper } = shipTo(destination(server.port));
    shipper.write(line(1).replace('counted', 'ä'.repeat(50_000)));
    shipper.write(line(2));
    await receives(server, 2);
    const [first = ''] = server.messages();
    expect(first).toMatch(/^<14>1 2026-01-02T03:04:05.094Z tower .*ää$/);
    expect(Buffer.byteLength(first)).toBeGreaterThan(30_000);
    expect(numbersOf(server)).toEqual([1, 2]);
  });

  test('the end waits for what was logged last', async () => {
    const server = await serve({ protocol });
    const shipping = shipTo(destination(server.port));
    shipping.log(0, 200);
    await shipping.shipper.stop(20_000);
    await receives(server, 200);
    expect(numbersOf(server)).toEqual(upTo(200));
    expect(shipping.logged).toEqual([]);
  });
});

describe.each(['tcp', 'tls'] as const)('a server over %s', (protocol) => {
  const destination = (port: number) => ({ protocol, port, ...(protocol === 'tls' && { ca: authority.cert }) });

  test('that is not there yet gets everything, in order, when it is', async () => {
    const port = await freePort();
    const shipping = shipTo(destination(port));
    shipping.log(0, 500);
    await until(() => events(shipping).includes('log_destination_away'), { what: 'its absence to be told' });
    shipping.log(500, 1_000);
    const server = await serve({ protocol, port });
    await receives(server, 1_000);
    expect(numbersOf(server)).toEqual(upTo(1_000));
    await until(() => events(shipping).at(-1) === 'log_destination_back', { what: 'its return to be told' });
    expect(events(shipping)).toEqual(['log_destination_away', 'log_destination_back']);
    expect(shipping.logged[0]?.fields).toMatchObject({ error: expect.stringContaining('ECONNREFUSED'), port });
  });

  test('that is restarted gets on with what was logged meanwhile', async () => {
    const before = await serve({ protocol });
    const shipping = shipTo(destination(before.port));
    shipping.log(0, 100);
    await receives(before, 100);
    await before.stop();
    // What goes out before the end of the connection has arrived is lost: syslog has no acknowledgement.
    await sleep(500);
    shipping.log(100, 5_000);
    await sleep(200);
    const after = await serve({ protocol, port: before.port });
    await receives(after, 4_900);
    expect(numbersOf(after)).toEqual(upTo(5_000, 100));
  });

  test('that accepts and never reads is left, and all comes over the next connection', async () => {
    const server = await serve({ protocol, deaf: 1 });
    const shipping = shipTo(destination(server.port), { ...PATIENCE, stallMs: 300 });
    // More than the buffers of both sides hold.
    const count = await logUntil(shipping, () => events(shipping).includes('log_destination_away'));
    await until(() => numbersOf(server).at(-1) === count - 1, { what: 'the last line', withinMs: 40_000 });
    expect(server.connections()).toBe(2);
    const received = numbersOf(server);
    expect(received).toEqual(upTo(count, received[0]));
    expect(shipping.logged[0]?.fields?.['error']).toBe('nothing was taken for 300 ms');
  });

  test('that reads slowly keeps its connection', async () => {
    const server = await serve({ protocol });
    const shipping = shipTo(destination(server.port), { ...PATIENCE, stallMs: 2_000 });
    shipping.log(0, 40_000);
    while (server.messages().length < 40_000) {
      server.pause();
      await sleep(20);
      server.resume();
      await sleep(1);
    }
    expect(numbersOf(server)).toEqual(upTo(40_000));
    expect(server.connections()).toBe(1);
  });
});

/** Logs in bursts until the condition holds; how many lines. */
async function logUntil(shipping: Shipping, done: () => boolean): Promise<number> {
  let count = 0;
  await until(
    () => {
      if (done()) return true;
      shipping.log(count, count + 2_000);
      count += 2_000;
      return false;
    },
    { what: 'the connection to be given up', withinMs: 40_000 },
  );
  return count;
}

describe('a server that cannot be trusted', () => {
  test.each([
    ['of another authority', async () => authority.selfSigned('stranger'), /self-signed|self signed/],
    ['with another name', async () => authority.issue('elsewhere', { names: 'DNS:elsewhere', days: 30 }), /altnames/],
  ] as const)('%s gets nothing', async (_, certificate, error) => {
    const server = await serve({ protocol: 'tls', keyPair: await certificate() });
    const shipping = shipTo({ protocol: 'tls', port: server.port, ca: authority.cert });
    shipping.log(0, 10);
    await until(() => shipping.logged.length > 0, { what: 'the trouble to be told' });
    expect(shipping.logged[0]?.fields?.['error']).toMatch(error);
    expect(server.messages()).toEqual([]);
  });

  test('is trusted when its authority is in a file that is named', async () => {
    const server = await serve({ protocol: 'tls' });
    const shipping = shipTo({ protocol: 'tls', port: server.port, ca: join(authority.folder, 'ca.pem') });
    shipping.log(0, 10);
    await receives(server, 10);
  });

  test('a file of authorities that is missing is named', async () => {
    const server = await serve({ protocol: 'tls' });
    const shipping = shipTo({ protocol: 'tls', port: server.port, ca: join(authority.folder, 'absent.pem') });
    shipping.log(0, 1);
    await until(() => shipping.logged.length > 0, { what: 'the trouble to be told' });
    expect(shipping.logged[0]?.fields?.['error']).toContain('absent.pem');
  });
});

describe('a backlog that is full', () => {
  test('loses the oldest lines, counts them, and says when that begins and ends', async () => {
    const port = await freePort();
    const shipping = shipTo({ port });
    shipping.log(0, 100_000);
    expect(shipping.dropped()).toBeGreaterThan(10_000);
    expect(events(shipping).filter((event) => event === 'log_lines_dropped')).toHaveLength(1);
    const server = await serve({ protocol: 'tcp', port });
    await receives(server, 100_000 - shipping.dropped());
    const received = numbersOf(server);
    const firstKept = received.findIndex((number, index) => number === index + shipping.dropped());
    expect(received.slice(firstKept)).toEqual(upTo(100_000, firstKept + shipping.dropped()));
    await until(() => events(shipping).includes('log_shipping_caught_up'), { what: 'the end to be told' });
    const end = shipping.logged.find(({ event }) => event === 'log_shipping_caught_up');
    expect(end?.fields?.['lines_dropped']).toBe(shipping.dropped());
    expect(received).toHaveLength(100_000 - shipping.dropped());
  });

  test('does not hold up the end, which says what was not shipped', async () => {
    const shipping = shipTo({ port: await freePort() });
    shipping.log(0, 100);
    const started = performance.now();
    await shipping.shipper.stop(300);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(shipping.logged.at(-1)).toMatchObject({ event: 'log_lines_not_shipped', fields: { lines: 100 } });
  });
});

interface Figures {
  readonly tookMs: number;
  readonly longestTurnMs: number;
  /** Of the thread, before the flood. */
  readonly threadBytes: number;
  /** By the flood. */
  readonly grownBytes: number;
  readonly dropped: number;
  readonly stopMs: number;
}

async function flood(port: number): Promise<Figures> {
  const program = join(import.meta.dirname, 'flood.mjs');
  const child = spawn(process.execPath, [program, 'tcp', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(code).toBe(0);
  return JSON.parse(output) as Figures;
}

describe('200,000 lines as fast as they can be logged', () => {
  const MEGABYTE = 1_000_000;

  test('cost at most 20 MB more when the destination is dead, and hold nothing up', async () => {
    const without = await flood(0);
    const dead = await flood(await freePort());
    expect(dead.threadBytes - without.threadBytes).toBeLessThan(40 * MEGABYTE);
    expect(dead.grownBytes - without.grownBytes).toBeLessThan(20 * MEGABYTE);
    expect(dead.longestTurnMs).toBeLessThan(1_000);
    expect(dead.dropped).toBeGreaterThan(100_000);
    expect(dead.stopMs).toBeLessThan(10_000);
  });

  test('arrive at one that is there, or are counted', async () => {
    const server = await serve({ protocol: 'tcp' });
    const { dropped, longestTurnMs, grownBytes } = await flood(server.port);
    const arrived = server.messages().filter((message) => message.includes('"probe_failed"'));
    expect(arrived.length + dropped).toBe(202_000);
    expect(longestTurnMs).toBeLessThan(1_000);
    expect(grownBytes).toBeLessThan(60 * MEGABYTE);
  });
});
