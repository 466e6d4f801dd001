/** The log of a daemon, as it arrives at Papertrail. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createHome, type Daemon, freePort, type Home, startDaemon, until } from '../estate/daemon.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { type SyslogServer, startSyslogServer } from '../estate/syslog-server.ts';

const SETTINGS = `
http: { listen: "\${LISTEN}", token: "\${TOKEN}" }
log:
  papertrail:
    host: "\${PAPERTRAIL_HOST}"
    port: "\${PAPERTRAIL_PORT}"
    ca: "\${PAPERTRAIL_CA:-}"
    program: monitor
    hostname: tower
`;
const TOKEN = ['made', 'up', 'at', String(process.pid)].join('-');
/** What it prints is an error of the probe, which is logged: the token of the daemon among it. */
const LEAK = `
probes:
  - name: leak
    exec: { argv: [/bin/sh, -c, "echo it is $0; exit 2", "${TOKEN}"] }
    every: 1s
    fail_after: 1
`;

let authority: Authority;
let home: Home;
let daemon: Daemon | undefined;
let server: SyslogServer | undefined;

beforeEach(async () => {
  authority = await createAuthority();
  home = await createHome({ 'brainstem.yml': SETTINGS });
});

afterEach(async () => {
  await daemon?.kill();
  await server?.stop();
  await home.remove();
  await authority.remove();
});

async function start(port: number): Promise<Daemon> {
  const environment = { TOKEN, PAPERTRAIL_HOST: '127.0.0.1', PAPERTRAIL_PORT: String(port) };
  daemon = await startDaemon({
    ...{ home, environment: { ...environment, PAPERTRAIL_CA: join(authority.folder, 'ca.pem') } },
  });
  return daemon;
}

it('has everything from the first line to the last, and no secret', async () => {
  const keyPair = await authority.issue('logs', { names: 'IP:127.0.0.1', days: 30 });
  server = await startSyslogServer({ protocol: 'tls', keyPair });
  await home.write({ 'probes/leak.yaml': LEAK });
  const { log, stop } = await start(server.port);
  await until(() => log.some((line) => JSON.stringify(line).includes('it is [redacted]')), { what: 'the leak' });
  expect(await stop()).toBe(0);
  const shipped = server.messages().map((message) => JSON.parse(message.slice(message.indexOf('{'))));
  expect(shipped).toEqual(log);
  expect(shipped.map(({ event }) => event)).toEqual(expect.arrayContaining(['store_opened', 'started', 'stopping']));
  expect(server.messages()[0]).toMatch(/^<14>1 \S+Z tower monitor \d+ - - \{/);
  expect(server.messages().join('')).not.toContain(TOKEN);
});

it('starts, works and stops in time while nothing answers there, and says so once', async () => {
  const { fetch, log, stop } = await start(await freePort());
  await until(() => log.some(({ event }) => event === 'log_destination_away'), { what: 'the trouble to be told' });
  const metrics = await (await fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } })).text();
  expect(metrics).toMatch(/^brainstem_log_lines_dropped_total 0$/m);
  expect(await stop()).toBe(0);
  const told = log.filter(({ event }) => event === 'log_destination_away' || event === 'log_lines_not_shipped');
  expect(told.map(({ event }) => event)).toEqual(['log_destination_away', 'log_lines_not_shipped']);
});

it('goes nowhere until host and port are set', async () => {
  daemon = await startDaemon({ home, environment: { TOKEN, PAPERTRAIL_HOST: '127.0.0.1' } });
  expect(await daemon.stop()).toBe(0);
  expect(daemon.log.filter(({ event }) => event.startsWith('log_'))).toEqual([]);
});
