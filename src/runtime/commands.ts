/**
 * Everything that a person can change. Each change is on the record with the name of who asked.
 */
import { ConflictError, NotFoundError } from '../errors.ts';
import type { Configuration, Incident } from '../model.ts';
import { instead } from '../nearest.ts';
import type { Clock, Commands, Log, ReloadOutcome, Store } from '../ports.ts';
import type { Healer } from './healer.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { Pings } from './pings.ts';
import type { ProbeSet } from './probe-set.ts';
import type { Silences } from './silences.ts';
import type { Switches } from './switches.ts';

export interface CommandsParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly desk: IncidentDesk;
  readonly silences: Silences;
  readonly switches: Switches;
  readonly healer: Healer;
  readonly pings: Pings;
  readonly probes: ProbeSet;
  configuration(): Configuration;
  reload(by: string): Promise<ReloadOutcome>;
}

export function createCommands(parts: CommandsParts): Commands {
  const { store, clock, log, desk, silences, switches, healer, pings, probes, configuration } = parts;

  async function openIncident(id: number): Promise<Incident> {
    const incident = desk.byId(id);
    if (incident) return incident;
    if (await store.incident(id)) throw new ConflictError('incident_resolved', `incident ${id} is resolved already`);
    throw new NotFoundError('incident_unknown', `there is no incident ${id}`);
  }

  async function audit(actor: string, action: string, subject: string, detail = ''): Promise<void> {
    log.info('command', { actor, action, subject, detail });
    await store.addAudit({ at: clock.now(), actor, action, subject, detail });
  }

  return {
    async reload(by) {
      await audit(by, 'reload', 'configuration');
      return parts.reload(by);
    },
    freeze: (by, why) => switches.freeze(by, why),
    unfreeze: (by) => switches.unfreeze(by),
    async arm(remediation, by) {
      const armed = await switches.arm(remediation, by);
      const { remediations } = configuration();
      if (armed || remediations.has(remediation)) return armed;
      const advice = instead(remediation, remediations.keys());
      throw new NotFoundError('remediation_unknown', `no remediation is called "${remediation}"${advice}`);
    },
    remediate: (request) => healer.remediate(request),
    async acknowledge(id, by) {
      await openIncident(id);
      const acknowledged = await desk.edit(id, {
        // A held page has reached somebody: that is what it was held for. The others hear of it, and of its end, too.
        edit: ({ holdUntil, paged, ...rest }) => ({
          ...{ ...rest, acknowledgedAt: clock.now(), acknowledgedBy: by },
          paged: paged || holdUntil !== undefined,
        }),
        kind: 'acknowledged',
        text: `acknowledged by ${by}: no reminders, no automatic fixes`,
        actor: by,
        alert: ({ paged, holdUntil }) => (paged || holdUntil !== undefined ? 'progress' : undefined),
      });
      await audit(by, 'acknowledge', `incident ${id}`);
      return acknowledged ?? openIncident(id);
    },
    async resolve(id, by, force) {
      const incident = await openIncident(id);
      const state = incident.source === 'probe' ? probes.get(incident.subject)?.state.state : undefined;
      if (!force && (state === 'down' || state === 'degraded')) {
        throw new ConflictError(
          'probe_still_failing',
          `${incident.subject} is still ${state}: resolve with --force, and it reopens at its next confirmed failure`,
        );
      }
      const resolved = await desk.close(id, 'by_hand', `resolved by ${by}`, by);
      if (resolved && incident.source === 'probe') probes.forget(incident.subject);
      await audit(by, 'resolve', `incident ${id}`, force ? 'forced' : '');
      return resolved ?? openIncident(id);
    },
    async comment(id, by, text) {
      if (!(await store.incident(id))) throw new NotFoundError('incident_unknown', `there is no incident ${id}`);
      await desk.note(id, { kind: 'comment', text, actor: by }, 'progress');
    },
    silence: (request) => silences.add(request),
    expireSilence: (id, by) => silences.expire(id, by),
    ping: (key, ping) => pings.receive(key, ping),
  };
}
