/** Every query, over a connection or a transaction. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import type { Database } from '../schema.ts';
import { attemptQueries } from './attempts.ts';
import { auditQueries } from './audit.ts';
import { heartbeatQueries } from './heartbeats.ts';
import { incidentQueries } from './incidents.ts';
import { lockQueries } from './locks.ts';
import { notificationQueries } from './notifications.ts';
import { probeQueries } from './probes.ts';
import { silenceQueries } from './silences.ts';
import { switchQueries } from './switches.ts';
import { vitalSignQueries } from './vital-sign.ts';

export function storeQueries(db: Kysely<Database>): StoreQueries {
  return {
    ...probeQueries(db),
    ...incidentQueries(db),
    ...attemptQueries(db),
    ...lockQueries(db),
    ...switchQueries(db),
    ...notificationQueries(db),
    ...heartbeatQueries(db),
    ...auditQueries(db),
    ...silenceQueries(db),
    ...vitalSignQueries(db),
  };
}
