/** The tables as Kysely sees them. Names are camel case here and snake case in the database. */
import type { Generated } from 'kysely';
import type {
  Attempt,
  Heartbeat,
  Incident,
  Notification,
  ProbeState,
  Silence,
  TimelineEntry,
  Transition,
} from '../model.ts';
import type { AuditEntry, Disarmed, Freeze } from '../ports.ts';
import type { Row } from './codec.ts';

/** Rows whose id the database gives. */
type Numbered<Item> = Omit<Row<Item>, 'id'> & { readonly id: Generated<number> };

/** What each table is for is written in migrations/. */
export interface Database {
  schemaMigrations: { version: number; name: string; appliedAt: number };
  probeStates: Row<ProbeState>;
  transitions: Numbered<Transition>;
  incidents: Numbered<Incident>;
  timeline: Numbered<TimelineEntry>;
  attempts: Numbered<Attempt>;
  locks: { resource: string; owner: string; fence: number; expiresAt: number };
  disarmed: Row<Disarmed>;
  healingFreeze: Row<Freeze> & { id: number };
  notifications: Numbered<Notification>;
  conversations: { notifier: string; incidentId: number; conversation: string };
  heartbeats: Row<Heartbeat>;
  audit: Numbered<AuditEntry>;
  silences: Numbered<Silence>;
  vitalSign: { id: number; at: number };
  resultSeries: { id: Generated<number>; probe: string; revision: string; fields: string };
  resultDays: { day: number; seriesId: number };
}
