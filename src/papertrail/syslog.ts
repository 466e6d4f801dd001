/**
 * A line of the log as a syslog message (https://www.rfc-editor.org/rfc/rfc5424#section-6), whose text is the line itself.
 * Papertrail shows HOSTNAME as the system and APP-NAME as the program.
 */
import type { Destination } from './protocol.ts';

/** Facility `user`, as pino-papertrail has it. */
const FACILITY = 1;
const INFO = 6;
const SEVERITIES: Readonly<Record<string, number>> = { trace: 7, debug: 7, info: INFO, warn: 4, error: 3, fatal: 2 };

/** How every line of the log begins; one that was cut does, too. */
const BEGINNING = /^\{"level":"([a-z]+)","time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/;

export type Format = (line: string) => string;

/** `pid` is the daemon's. */
export function createFormat({ program, hostname }: Destination, pid: number): Format {
  const origin = `${hostname} ${program} ${pid} - -`;
  return (line) => {
    const [, level = 'info', time = '-'] = BEGINNING.exec(line) ?? [];
    const priority = FACILITY * 8 + (SEVERITIES[level] ?? INFO);
    return `<${priority}>1 ${time} ${origin} ${line}`;
  };
}
