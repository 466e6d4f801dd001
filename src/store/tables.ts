/**
 * What each table is for, and what is less obvious of its columns: psql shows it (`\d+`), docs/store.md repeats it, and a backup
 * holds these tables in this order. A table follows those that it refers to.
 */

export interface TableFacts {
  readonly about: string;
  /** Only those that do not explain themselves. */
  readonly columns?: Readonly<Record<string, string>>;
  /** A column that refers to a row of the same table, perhaps to a later one. */
  readonly self?: string;
  /** The database gives its ids. */
  readonly isNumbered?: true;
}

export const TABLES: Readonly<Record<string, TableFacts>> = {
  schema_migrations: { about: 'a migration that was applied' },
  probe_states: {
    about: 'the debounced state of a probe, and the streaks that will change it',
    columns: {
      since: 'when the state began, in ms since 1970',
      streaks: 'JSON: runs in a row that passed, failed, or could not be told',
      target_revision: 'of the part of the definition that says what is probed',
    },
  },
  incidents: {
    isNumbered: true,
    about: 'an outage or other trouble; a unique index allows one open per source and subject',
    columns: {
      source: 'probe, alertmanager or self',
      subject: 'the probe, or what else it is about',
      opened_at: 'of the first opening, in ms since 1970',
      active_at: 'of the last opening: later than opened_at when it was reopened',
      parent_id: 'the incident of what this one depends on',
      hold_until: 'the page is held back until then, while a fix is tried',
      paged: '1: people were told',
      degraded: '1: only degraded so far',
      reopened: 'how often it came back',
      healed_by: 'the remediation that the probe proved',
      exhausted: '1: no fix is left to try',
      withheld: 'the alert that people are owed when a silence, or flapping, is over',
      withheld_by: 'what kept it from them: silence or flapping',
    },
    self: 'parent_id',
  },
  transitions: { isNumbered: true, about: 'a change of such a state' },
  timeline: { isNumbered: true, about: "a line of an incident's story" },
  attempts: {
    isNumbered: true,
    about: 'a run of a remediation, or a refusal; limits are counted here',
    columns: {
      type: 'of the action',
      resource: 'what it acts on, and locks',
      refusal: 'why it was not allowed to run',
      intended_at: 'written before anything is done',
      started_at: 'when it reached running; null: nothing was started',
      acted_at: 'when the act was done',
      settle_until: 'failures of the probe until then do not count',
      verify_until: 'the probe must be up by then',
      fence: 'of the lock that it ran under',
      child: 'JSON: the process that it started',
    },
  },
  locks: {
    about: 'who may act on a resource, until when; the fence of a resource only rises',
    columns: { fence: 'of the newest holder: who has an older one must not act', expires_at: '0: released' },
  },
  disarmed: { about: 'a remediation that spent its limit' },
  healing_freeze: { about: 'at most one: all healing is frozen' },
  silences: {
    isNumbered: true,
    about: 'what people asked not to hear of, why, and until when',
    columns: { matchers: 'JSON: all of them must hold', expired_at: 'ended by hand before ends_at' },
  },
  vital_sign: { about: 'one row: when the watchdog last saw that the store takes a write' },
  notifications: {
    isNumbered: true,
    about: 'the outbox: an alert for a notifier, pending, sent or dropped',
    columns: {
      alert: 'JSON: what is said',
      due_at: 'not sent before',
      fallback_for: 'the notifier that could not deliver it',
      carried_by: 'the digest that told it',
    },
    self: 'carried_by',
  },
  conversations: { about: 'what a notifier remembers of an incident, such as its Slack message' },
  heartbeats: {
    about: 'the last pings of a key, by its hash',
    columns: { key_hash: 'SHA-256 of the key, which stands nowhere', body: 'the tail of the last ping' },
  },
  audit: { isNumbered: true, about: 'who changed what, and when' },
  result_series: {
    isNumbered: true,
    about: 'a probe, a revision of its definition, and what the values of its results mean',
    columns: { fields: 'JSON: the names of value_1 and value_2 (columns) and of the values in more, in order' },
  },
  result_days: {
    about: 'which series has results on which day',
    columns: { day: 'days since 1970, UTC; a table of this day is there' },
  },
};

/** The tables of the days are made as they come. Their columns differ from one database to the next. */
export const DAY_TABLE: TableFacts = {
  about: 'a result: one table for each day, dropped whole when it is too old',
  columns: {
    at_ms: 'milliseconds since midnight, UTC',
    latency_us: 'microseconds, at most 35 minutes',
    outcome: 'reason * 8 + error * 4 + verdict, with 0 pass, 1 warn, 2 fail, 3 unknown',
    value_1: 'a number, named by result_series.fields',
    value_2: 'another one',
    more: 'further values, packed',
  },
};
