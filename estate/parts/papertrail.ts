/** A syslog server over TCP, as Papertrail's: the daemon's own log goes there. */
import { freePort } from '../../test/estate/daemon.ts';
import { startSyslogServer } from '../../test/estate/syslog-server.ts';
import type { Part, StartedPart } from '../part.ts';

export interface Papertrail extends StartedPart {
  /** It is gone, and there again. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

async function start(): Promise<Papertrail> {
  const port = await freePort();
  let server = await startSyslogServer({ protocol: 'tcp', port });
  let isThere = true;
  const leave = async () => {
    isThere = false;
    await server.stop();
  };
  return {
    leave,
    async comeBack() {
      if (isThere) return;
      server = await startSyslogServer({ protocol: 'tcp', port });
      isThere = true;
    },
    environment: { PAPERTRAIL_HOST: '127.0.0.1', PAPERTRAIL_PORT: String(port), PAPERTRAIL_PROTOCOL: 'tcp' },
    stop: async () => {
      if (isThere) await leave();
    },
  };
}

export const papertrail: Part<Papertrail> = { summary: 'A syslog server, as Papertrail is one', needs: {}, start };
