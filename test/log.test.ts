import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { AppError } from '../src/errors.ts';
import { createLog, type LogOptions } from '../src/log.ts';
import { createRedactor } from '../src/redact.ts';

const secret = ['canary', 'value"', '0815'].join('-');

function capture(options: Partial<LogOptions> = {}, secrets: string[] = [secret]) {
  const lines: string[] = [];
  const redactor = createRedactor();
  redactor.use(secrets);
  const log = createLog({
    level: 'info',
    pretty: false,
    redactor,
    destination: { write: (line) => void lines.push(line) },
    ...options,
  });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> };
}

test('a line is one JSON object with level, ISO time, event and fields', () => {
  const { log, lines, last } = capture();
  log.info('probe_failed', { probe: 'web', latency_ms: 12 });
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  expect(last()).toMatchObject({ level: 'info', event: 'probe_failed', probe: 'web', latency_ms: 12 });
  expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('a shipper gets every line as JSON, without secrets, also where people read along', () => {
  const shipped: string[] = [];
  const { log, lines } = capture({ pretty: true, shipper: { write: (line) => void shipped.push(line) } });
  log.warn('probe_failed', { error: `at ${secret}` });
  expect(lines[0]).not.toMatch(/^\{/);
  expect(JSON.parse(shipped[0] ?? '')).toMatchObject({ event: 'probe_failed', error: 'at [redacted]' });
});

test('what is below the level is not written; a child carries its fields', () => {
  const { log, lines, last } = capture();
  log.debug('quiet');
  expect(lines).toEqual([]);
  log.child({ room: 'healer' }).warn('held', { why: 'frozen' });
  expect(last()).toMatchObject({ level: 'warn', event: 'held', room: 'healer', why: 'frozen' });
});

test('a secret reaches no line: not in fields, nested values, keys, errors, causes or event names', () => {
  const { log, lines } = capture();
  const error = new AppError('failed', `at ${secret}`, { cause: new Error(secret) });
  log.error(`event ${secret}`, {
    url: `http://u:${encodeURIComponent(secret)}@h/`,
    deep: { a: [{ b: secret }] },
    [secret]: 1,
    error,
  });
  log.child({ secret }).info('x');
  expect(lines.join('')).not.toContain('canary');
  expect(lines.join('')).toContain('[redacted]');
});

test('a secret of digits is hidden without breaking the line', () => {
  const { log, last } = capture({}, ['123456']);
  log.info('numbers', { count: 91234569, text: 'pin 123456' });
  expect(last()).toMatchObject({ count: 91234569, text: 'pin [redacted]' });
});

test('an error is its message, code, first frames and causes', () => {
  const { log, last } = capture();
  log.error('store_failed', { error: new AppError('busy', 'two\nlines', { cause: new Error('root') }) });
  const error = last()['error'] as Record<string, unknown>;
  expect(error).toMatchObject({ message: 'two\nlines', code: 'busy', cause: { message: 'root' } });
  expect((error['stack'] as string[]).length).toBeLessThanOrEqual(6);
  expect((error['stack'] as string[])[0]).toMatch(/^at /);
});

test('nothing that is logged can throw', () => {
  const { log, lines } = capture();
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const hostile = Object.defineProperty({}, 'x', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  log.info('circle', circle);
  log.info('bigint', { big: 10n, fn: () => 1, symbol: Symbol('s'), undefined });
  log.info('hostile', hostile as Record<string, unknown>);
  log.info('nested', { deep: hostile });
  expect(lines).toHaveLength(4);
  for (const line of lines) JSON.parse(line);
});

test('a field cannot pose as the level, the time or the event', () => {
  const { log, lines, last } = capture();
  log.info('real', { event: 'forged', level: 'fatal', time: 'never' });
  expect(last()).toMatchObject({ event: 'real', level: 'info', event_: 'forged' });
  expect(lines[0]?.match(/"event":/g)).toHaveLength(1);
});

test('on a terminal lines are readable, and a target cannot send it escape sequences', () => {
  const { log, lines } = capture({ pretty: true, color: false });
  log.warn('probe_failed', { probe: 'web', error: 'red \u001b[31m and \u009b31m' });
  expect(lines[0]).toMatch(/WARN.*probe_failed/);
  expect(lines.join('')).toContain('probe: "web"');
  for (const control of ['\u001b', '\u009b']) expect(lines.join('')).not.toContain(control);
});

test('a line stays readable when a target sent what looks like an escape', () => {
  const { log, lines } = capture({ pretty: true, color: false });
  log.warn('probe_failed', { summary: String.raw`body = "\u001b[2J\n"`, error: 'over\b\b\rwritten \u202edrow' });
  expect(lines[0]).toMatch(/WARN.*probe_failed/);
  expect(lines.join('')).not.toContain('"level"');
  expect(lines.join('')).toContain('u001b[2J');
  for (const control of ['\b', '\r', '\u202e']) expect(lines.join('')).not.toContain(control);
});

test('a process that exits at once loses no line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-log-'));
  const source = pathToFileURL(resolve('src')).href;
  const script = `
    import { createLog } from '${source}/log.ts';
    import { createRedactor } from '${source}/redact.ts';
    const log = createLog({ level: 'info', pretty: false, redactor: createRedactor() });
    for (let index = 0; index < 2000; index++) log.info('line', { index });
    log.flush();
    process.exit(7);`;
  try {
    writeFileSync(join(folder, 'main.ts'), script);
    const { status, stdout } = spawnSync(resolve('node_modules/.bin/jiti'), [join(folder, 'main.ts')], {
      encoding: 'utf8',
    });
    expect([status, stdout.trim().split('\n').length]).toEqual([7, 2000]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
