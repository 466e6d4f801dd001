/** Our messages beside those of pino-papertrail: whoever searches or filters by its headers finds ours. */
import pinoPapertrail from 'pino-papertrail';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFormat } from '../../src/papertrail/syslog.ts';
import { until } from '../estate/daemon.ts';
import { type SyslogServer, startSyslogServer } from '../estate/syslog-server.ts';

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;
const format = createFormat({ host: '', port: 1, protocol: 'udp', program: 'brainstem', hostname: 'tower' }, 4711);
let server: SyslogServer;
let theirs: ReturnType<typeof pinoPapertrail.createWriteStream>;

beforeAll(async () => {
  server = await startSyslogServer({ protocol: 'udp' });
  const destination = { host: '127.0.0.1', port: String(server.port), connection: 'udp' };
  theirs = pinoPapertrail.createWriteStream({
    ...{ ...destination, appname: 'brainstem', echo: false, 'message-only': true },
  });
});

afterAll(() => server.stop());

async function byPinoPapertrail(level: number, time: string, msg: string): Promise<string> {
  const before = server.messages().length;
  theirs.write(`${JSON.stringify({ level, time, hostname: 'tower', pid: 4711, msg })}\n`);
  return until(() => server.messages()[before], { what: 'its message' });
}

test.each(Object.entries(LEVELS))('%s has the header of pino-papertrail', async (level, number) => {
  const time = '2026-01-02T03:04:05.123Z';
  const line = JSON.stringify({ level, time, event: 'probe_failed' });
  const message = await byPinoPapertrail(number, time, line);
  // Its digits are those of UTC, whatever offset it writes behind them.
  expect(format(line)).toBe(message.replace(/(\.123)\S+/, '$1Z'));
});

test('milliseconds below 100 keep their zeros', () => {
  const line = '{"level":"info","time":"2026-01-02T03:04:05.004Z","event":"x"}';
  expect(format(line)).toContain(' 2026-01-02T03:04:05.004Z ');
});

test('a line of another shape is information of an unknown time', () => {
  expect(format('{"event":"x"}')).toBe('<14>1 - tower brainstem 4711 - - {"event":"x"}');
});
