/** A supervisord with one program. */
import { startSupervisord } from '../../test/estate/supervisord.ts';
import type { Part, StartedPart } from '../part.ts';

export interface Supervisor extends StartedPart {
  /** Its program ends with an error, and is not started again. */
  fail(): Promise<unknown>;
  restart(): Promise<unknown>;
}

async function start(): Promise<Supervisor> {
  const login = { user: 'estate', password: ['supervisor', 'password'].join('-') };
  const server = await startSupervisord({ worker: ['command=/bin/sleep infinity', 'autorestart=false'] }, login);
  return {
    fail: () => server.control('signal', 'KILL', 'worker'),
    restart: () => server.control('start', 'worker'),
    environment: {
      ...{ SUPERVISOR_URL: server.url, SUPERVISOR_PROGRAM: 'worker' },
      ...{ SUPERVISOR_USER: login.user, SUPERVISOR_PASSWORD: login.password },
    },
    stop: () => server.stop(),
  };
}

export const supervisor: Part<Supervisor> = {
  summary: 'A supervisord with one program',
  needs: { supervisor: '/usr/bin/supervisord' },
  hindrance: () => (process.getuid?.() === 0 ? undefined : 'its configuration is that of root'),
  start,
};
