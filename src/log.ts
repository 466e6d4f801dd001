/**
 * The daemon's log: one JSON object a line with an event name, or readable lines on a terminal. Every line passes the
 * redactor after it was serialised, so that no field, however deep, carries a secret out.
 */
import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, destination as openDestination, pino, stdTimeFunctions } from 'pino';
import { codeOf, messageOf } from './errors.ts';
import type { Settings } from './model.ts';
import type { Log } from './ports.ts';
import type { Redactor } from './redact.ts';

export interface LogOptions {
  readonly level: Settings['log']['level'];
  /** Where finished lines go. Default: standard output, buffered up to 16 MiB when its reader is slow. */
  readonly destination?: { write(line: string): void };
  /** Gets every line as well, as JSON whatever `pretty` says. */
  readonly shipper?: { write(line: string): void };
  /** Readable lines instead of JSON. */
  readonly pretty: boolean;
  /** Colours in readable lines. Default true. */
  readonly color?: boolean;
  readonly redactor: Redactor;
}

export interface RootLog extends Log {
  /** Writes out what is still buffered, before the process exits. Never throws. */
  flush(): void;
}

type Level = 'debug' | 'info' | 'warn' | 'error';
type Output = DestinationStream & { flushSync?(): void };

const BUFFER_LIMIT_BYTES = 16 * 1024 * 1024;
const STACK_LINES = 6;
const CAUSES = 4;
/** Keys that every line has; a field of the same name gets an underscore. */
const RESERVED: ReadonlySet<string> = new Set(['level', 'time', 'event']);

/** A log whose calls never throw, whatever they are given. */
export function createLog(options: LogOptions): RootLog {
  const output: Output = options.destination ?? openStandardOutput();
  const format = options.pretty ? prettyFormat(options.color ?? true) : (line: string) => line;
  const stream = {
    write(line: string) {
      const redacted = redactLine(line, options.redactor);
      output.write(format(redacted));
      options.shipper?.write(redacted);
    },
  };
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'event',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return { ...wrap(logger), flush: () => flush(output) };
}

function openStandardOutput(): Output {
  const output = openDestination({ fd: 1, sync: false, maxLength: BUFFER_LIMIT_BYTES });
  // A log that cannot be written has nowhere to say so, and must not end the daemon.
  output.on('error', () => undefined);
  return output;
}

function flush(output: Output): void {
  try {
    output.flushSync?.();
  } catch (error) {
    // Standard output is gone or was never opened; the process is ending and standard error is what is left.
    process.stderr.write(`log: ${messageOf(error)}\n`);
  }
}

function wrap(logger: Logger): Log {
  const write = (level: Level, event: string, fields: Record<string, unknown> = {}) => {
    try {
      if (logger.isLevelEnabled(level)) logger[level](plain(fields), event);
    } catch (error) {
      logger.error({ failed_event: event, error: describeError(error, CAUSES) }, 'log_failed');
    }
  };
  return {
    debug: (event, fields) => write('debug', event, fields),
    info: (event, fields) => write('info', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    error: (event, fields) => write('error', event, fields),
    child: (fields) => wrap(logger.child(plain(fields))),
  };
}

function plain(fields: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    const name = RESERVED.has(key) ? `${key}_` : key;
    result[name] = value instanceof Error ? describeError(value, CAUSES) : value;
  }
  return result;
}

/** Message, code, where it was thrown, and the same of its causes. */
function describeError(error: unknown, depth: number): Record<string, unknown> {
  const described: Record<string, unknown> = { message: messageOf(error) };
  const code = codeOf(error);
  if (code !== undefined) described['code'] = code;
  if (!(error instanceof Error)) return described;
  described['stack'] = stackOf(error);
  if (error.cause !== undefined && depth > 0) described['cause'] = describeError(error.cause, depth - 1);
  return described;
}

/** The frames alone: the message, which may span lines, stands beside them. */
function stackOf(error: Error): string[] {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, STACK_LINES).map((line) => line.trim());
}

/** A secret made of digits could stand inside a bare number: then only strings are redacted, so that the line stays JSON. */
function redactLine(line: string, redactor: Redactor): string {
  const redacted = redactor.redact(line);
  if (redacted === line || isJson(redacted)) return redacted;
  const strings = (_key: string, value: unknown) => (typeof value === 'string' ? redactor.redact(value) : value);
  return `${JSON.stringify(JSON.parse(line, strings))}\n`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Loaded only where a person reads along. Control characters that a target sent do not reach the terminal. */
function prettyFormat(color: boolean): (line: string) => string {
  const require = createRequire(import.meta.url);
  const { prettyFactory } = require('pino-pretty') as typeof import('pino-pretty');
  const print = prettyFactory({ colorize: color, messageKey: 'event', translateTime: 'SYS:HH:MM:ss.l' });
  return (line) => print(line.replace(ESCAPES_AND_CONTROLS, (found) => (isHarmless(found) ? found : '\ufffd')));
}

/** Every escape of the JSON text, so that the second half of an escaped backslash is never taken for the first of one. */
const ESCAPES_AND_CONTROLS = /\\(?:u[0-9a-f]{4}|.)|[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/gi;

function isHarmless(found: string): boolean {
  return found.startsWith('\\') && !/^\\(?:u00[01]|[bfr])/.test(found);
}
