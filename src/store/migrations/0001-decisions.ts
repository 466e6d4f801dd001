import type { Migration } from '../migrate.ts';

/** Everything that was decided and must survive: states, incidents, healing, alerting, audit. Times are ms since the epoch. */
export const decisions: Migration = {
  name: 'decisions',
  statements: (ddl) => [
    // The debounced state of each probe, with the streaks that will change it.
    `CREATE TABLE probe_states (
      probe text PRIMARY KEY NOT NULL,
      state text NOT NULL,
      since bigint NOT NULL,
      streaks text NOT NULL,
      target_revision text NOT NULL
    )`,

    // An outage or other trouble, from opening to resolution. The unique index is the rule that at most one is open.
    `CREATE TABLE incidents (
      id ${ddl.identity},
      source text NOT NULL,
      subject text NOT NULL,
      title text NOT NULL,
      severity text NOT NULL,
      reason text NOT NULL,
      cause text NOT NULL,
      opened_at bigint NOT NULL,
      active_at bigint NOT NULL,
      resolved_at bigint,
      resolution text,
      parent_id bigint REFERENCES incidents (id),
      acknowledged_at bigint,
      acknowledged_by text,
      hold_until bigint,
      paged integer NOT NULL,
      degraded integer NOT NULL,
      reopened integer NOT NULL,
      healed_by text,
      exhausted integer NOT NULL
    )`,
    'CREATE UNIQUE INDEX incidents_open ON incidents (source, subject) WHERE resolved_at IS NULL',
    'CREATE INDEX incidents_subject ON incidents (subject, source, id)',

    // One row per change of a probe's debounced state.
    `CREATE TABLE transitions (
      id ${ddl.identity},
      probe text NOT NULL,
      "from" text NOT NULL,
      "to" text NOT NULL,
      at bigint NOT NULL,
      reason text NOT NULL,
      summary text NOT NULL,
      incident_id bigint REFERENCES incidents (id)
    )`,
    'CREATE INDEX transitions_probe ON transitions (probe, id)',
    'CREATE INDEX transitions_at ON transitions (at)',

    // The story of an incident, line by line.
    `CREATE TABLE timeline (
      id ${ddl.identity},
      incident_id bigint NOT NULL REFERENCES incidents (id),
      at bigint NOT NULL,
      kind text NOT NULL,
      text text NOT NULL,
      actor text NOT NULL
    )`,
    'CREATE INDEX timeline_incident ON timeline (incident_id, id)',

    // Each run of a remediation, written before every step that it takes. Limits are counted here.
    `CREATE TABLE attempts (
      id ${ddl.identity},
      incident_id bigint REFERENCES incidents (id),
      probe text NOT NULL,
      remediation text NOT NULL,
      type text NOT NULL,
      resource text NOT NULL,
      requested_by text NOT NULL,
      state text NOT NULL,
      refusal text,
      intended_at bigint NOT NULL,
      started_at bigint,
      acted_at bigint,
      settle_until bigint,
      verify_until bigint,
      ended_at bigint,
      exit_code integer,
      output text,
      error text,
      fence bigint NOT NULL,
      child text
    )`,
    'CREATE INDEX attempts_incident ON attempts (incident_id, id)',
    'CREATE INDEX attempts_remediation ON attempts (remediation, resource, id)',
    'CREATE INDEX attempts_probe ON attempts (probe, id)',
    'CREATE INDEX attempts_state ON attempts (state, id)',
    'CREATE INDEX attempts_started ON attempts (started_at)',

    // Who may act on a resource, until when. Rows stay after a release: the fence of a resource only ever rises.
    `CREATE TABLE locks (
      resource text PRIMARY KEY NOT NULL,
      owner text NOT NULL,
      fence bigint NOT NULL,
      expires_at bigint NOT NULL
    )`,

    // Remediations that spent their limit and wait for a person.
    `CREATE TABLE disarmed (
      remediation text PRIMARY KEY NOT NULL,
      at bigint NOT NULL,
      why text NOT NULL
    )`,

    // One row while all healing is frozen, else none.
    `CREATE TABLE healing_freeze (
      id integer PRIMARY KEY NOT NULL CHECK (id = 1),
      at bigint NOT NULL,
      "by" text NOT NULL,
      why text NOT NULL
    )`,

    // The outbox: written with the state it came from, marked sent only after the channel accepted it.
    `CREATE TABLE notifications (
      id ${ddl.identity},
      notifier text NOT NULL,
      incident_id bigint REFERENCES incidents (id),
      alert text NOT NULL,
      state text NOT NULL,
      created_at bigint NOT NULL,
      due_at bigint NOT NULL,
      tries integer NOT NULL,
      last_error text,
      sent_at bigint,
      fallback_for text,
      carried_by bigint REFERENCES notifications (id)
    )`,
    "CREATE INDEX notifications_pending ON notifications (notifier, id) WHERE state = 'pending'",
    'CREATE INDEX notifications_incident ON notifications (incident_id, id)',

    // What a notifier remembers of an incident, such as the message that it updates (JSON).
    `CREATE TABLE conversations (
      notifier text NOT NULL,
      incident_id bigint NOT NULL REFERENCES incidents (id),
      conversation text NOT NULL,
      PRIMARY KEY (notifier, incident_id)
    )`,

    // The last pings of each heartbeat, by the hash of its secret key.
    `CREATE TABLE heartbeats (
      key_hash text PRIMARY KEY NOT NULL,
      created_at bigint NOT NULL,
      last_ping_at bigint,
      last_kind text,
      last_start_at bigint,
      last_success_at bigint,
      duration_ms double precision,
      exit_code integer,
      body text
    )`,

    // Who changed what, and when.
    `CREATE TABLE audit (
      id ${ddl.identity},
      at bigint NOT NULL,
      actor text NOT NULL,
      action text NOT NULL,
      subject text NOT NULL,
      detail text NOT NULL
    )`,
  ],
};
