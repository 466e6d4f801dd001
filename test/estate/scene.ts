/**
 * A scene for end-to-end tests of one behaviour: a home with the files of the test, targets that can be broken, a
 * receiver that hears every alert, and the daemon.
 */
import { createHome, type Daemon, type DaemonOptions, freePort, type Home, startDaemon, until } from './daemon.ts';
import { type ReceivedBody, type Receiver, startReceiver } from './receiver.ts';
import { startTargets, type Targets } from './targets.ts';

export interface Scene {
  readonly home: Home;
  readonly targets: Targets;
  readonly alerts: Alerts;
  readonly port: number;
  /** Starts the daemon, or starts it again on the same port. */
  start(options?: Partial<DaemonOptions>): Promise<Daemon>;
  /** Ends everything; called once more it does nothing. */
  close(): Promise<void>;
}

export interface Alerts {
  readonly receiver: Receiver;
  /** What was heard about a probe, oldest first; without a name about anything. */
  of(subject?: string): readonly HeardAlert[];
  kinds(subject?: string): readonly string[];
}

export type HeardAlert = ReceivedBody & {
  readonly severity: string;
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  readonly incident: { readonly id: number; readonly subject: string; readonly severity: string } | null;
};

/** The files of a home; a `brainstem.yml` among them is added to the listening address and the notifier `bus`. */
export type Files = (targets: Targets) => Readonly<Record<string, string>>;

const SETTINGS = `
http: { listen: "\${LISTEN}" }
log: { level: debug }
notifiers:
  bus: { webhook: { url: "\${BUS_URL}" }, burst: 1000 }
`;

export async function setScene(files: Files): Promise<Scene> {
  const targets = await startTargets();
  const receiver = await startReceiver();
  const port = await freePort();
  const { 'brainstem.yml': settings = '', ...definitions } = files(targets);
  const home = await createHome({ 'brainstem.yml': SETTINGS + settings, ...definitions });
  const daemons: Daemon[] = [];
  const alerts = alertsOf(receiver);
  return {
    ...{ home, targets, alerts, port },
    async start(options = {}) {
      const environment = { BUS_URL: receiver.url, ...options.environment };
      const daemon = await startDaemon({ home, port, ...options, environment });
      daemons.push(daemon);
      return daemon;
    },
    async close() {
      for (const daemon of daemons) await daemon.kill();
      await targets.close();
      await receiver.close();
      await home.remove();
    },
  };
}

function alertsOf(receiver: Receiver): Alerts {
  const of = (subject?: string) =>
    receiver
      .deliveries()
      .map(({ body }) => body as HeardAlert)
      .filter(({ incident }) => subject === undefined || incident?.subject === subject);
  return { receiver, of, kinds: (subject) => of(subject).map(({ kind }) => kind) };
}

/** What the API says of a probe. */
export interface SeenProbe {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly verdict?: string;
  readonly reason?: string;
  readonly last_run_at?: string;
  readonly incident_id?: number;
  readonly target: string;
  readonly fail_after: number;
}

export const probeOf = (daemon: Daemon, name: string) => daemon.api<SeenProbe>(`probes/${encodeURIComponent(name)}`);

/** Waits until a probe is in a state. */
export async function untilState(daemon: Daemon, name: string, state: string): Promise<SeenProbe> {
  return until(
    async () => {
      const probe = await probeOf(daemon, name);
      return probe.state === state && probe;
    },
    { what: `${name} to be ${state}` },
  );
}

/** What the API says of an incident. */
export interface SeenIncident {
  readonly id: number;
  readonly source: string;
  readonly subject: string;
  readonly severity: string;
  readonly cause: string;
  readonly opened_at: string;
  readonly resolved_at?: string;
  readonly resolution?: string;
  readonly parent_id?: number;
  readonly hold_until?: string;
  readonly acknowledged_by?: string;
  readonly paged: boolean;
  readonly degraded: boolean;
  readonly reopened: number;
  readonly healed_by?: string;
  readonly exhausted: boolean;
}

export interface SeenStory extends SeenIncident {
  readonly timeline: readonly { readonly kind: string; readonly text: string; readonly actor: string }[];
  readonly attempts: readonly {
    readonly remediation: string;
    readonly resource: string;
    readonly state: string;
    readonly refusal?: string;
    readonly requested_by: string;
  }[];
}

/** Incidents of a subject, newest first. */
export async function incidentsOf(daemon: Daemon, subject: string): Promise<readonly SeenIncident[]> {
  const { incidents } = await daemon.api<{ incidents: SeenIncident[] }>(
    `incidents?subject=${encodeURIComponent(subject)}`,
  );
  return incidents;
}

/** Waits until a subject has an incident that satisfies the check, and tells its whole story. */
export async function untilIncident(
  daemon: Daemon,
  subject: string,
  what: string,
  check: (story: SeenStory) => boolean = () => true,
): Promise<SeenStory> {
  return until(
    async () => {
      const [newest] = await incidentsOf(daemon, subject);
      const story = newest && (await daemon.api<SeenStory>(`incidents/${newest.id}`));
      return story && check(story) && story;
    },
    { what: `the incident of ${subject} to be ${what}` },
  );
}

export const storyKinds = ({ timeline }: SeenStory) => timeline.map(({ kind }) => kind);

/** Value of a series of `/metrics`, or undefined. `series` as it is written there, labels and all. */
export async function metricOf(daemon: Daemon, series: string): Promise<number | undefined> {
  const text = await (await daemon.fetch('/metrics')).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** Lets time pass in which something must not happen. */
export const pass = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));
