/**
 * A scene of containers: a real Docker engine, and the daemon that watches its containers and heals them by a restart.
 */
import { type Daemon, until } from './daemon.ts';
import { type Dockerd, IMAGE, startDockerd } from './dockerd.ts';
import { incidentsOf, probeOf, type Scene, type SeenStory, setScene } from './scene.ts';
import type { Targets } from './targets.ts';

export interface DockerScene extends Scene {
  readonly engine: Dockerd;
  /** Starts a container from `docker run` arguments, without a network. */
  create(name: string, ...args: string[]): Promise<string>;
  /** A field of `docker inspect`, as a Go template. */
  inspect(name: string, field: string): Promise<string>;
  /** Host process id of its main process. */
  mainPid(name: string): Promise<number>;
}

/** Commands of `docker run`: one that ends at once on SIGTERM, as a well-behaved service does. */
export const POLITE = [IMAGE, '/bin/sh', '-c', 'trap "exit 0" TERM; echo at work; while :; do sleep 1000 & wait; done'];

export interface Watched {
  /** Of the container, and of its probe. */
  readonly name: string;
  /** Default: so long that only the engine's events start a run. */
  readonly every?: string;
  /** Rungs of its ladder. Default: restart-it. */
  readonly fixes?: readonly string[];
}

const socket = `socket: "\${DOCKER_SOCKET}"`;

const probeOfContainer = ({ name, every = '10m', fixes = ['restart-it'] }: Watched) => `
  - name: ${name}
    docker: { container: ${name}, ${socket} }
    every: ${every}
    severity: critical
    remediate: [{ try: [${fixes.join(', ')}] }]`;

const LIMITS = `
    timeout: 20s
    settle: 500ms
    verify_within: 20s
    cooldown: 1s
    limit: 100 in 1h`;

const REMEDIATIONS = `remediations:
  - name: restart-it
    docker: { restart: { from: probe }, timeout: 1s, ${socket} }
    evidence: [{ docker: { logs: { from: probe }, tail: 20, ${socket} } }]${LIMITS}
  - name: restart-slowly
    docker: { restart: { from: probe }, timeout: 5s, ${socket} }${LIMITS}
  - name: stop-it
    docker: { stop: { from: probe }, timeout: 1s, ${socket} }${LIMITS.replace('20s\n    cooldown', '1s\n    cooldown')}
  - name: start-it
    docker: { start: { from: probe }, ${socket} }${LIMITS}
`;

/** An HTTP probe, and a fix that names the container behind it. */
const frontOf = (container: string, targets: Targets) => ({
  'probes/front.yaml': `probes:
  - name: front
    http: { url: "${targets.url('front')}" }
    every: 300ms
    timeout: 300ms
    fail_after: 2
    recover_after: 2
    remediate: [{ try: [restart-behind] }]
`,
  'remediations/front.yaml': `remediations:
  - name: restart-behind
    docker: { restart: ${container}, timeout: 1s, ${socket} }${LIMITS}
`,
});

const filesOf = (watched: readonly Watched[]) => ({
  'brainstem.yml': 'healing: { budget: 1000 in 10m }\nalerts: { flapping: 1000 in 10m }\n',
  'probes/containers.yaml': `
defaults: { retry_every: 300ms, fail_after: 2, recover_after: 2 }
probes:${watched.map(probeOfContainer).join('')}
`,
  'remediations/containers.yaml': REMEDIATIONS,
});

/**
 * `behind`: the container that is restarted when the HTTP target `front` fails. `more`: files of the home besides those
 * that watch all these.
 */
export async function setDockerScene(
  watched: readonly Watched[],
  behind: string,
  more: Readonly<Record<string, string>> = {},
): Promise<DockerScene> {
  const engine = await startDockerd();
  try {
    const scene = await setScene((targets) => ({ ...filesOf(watched), ...frontOf(behind, targets), ...more }));
    const inspect = (name: string, field: string) => engine.run('inspect', '-f', `{{${field}}}`, name);
    return {
      ...scene,
      engine,
      inspect,
      create: (name, ...args) => engine.run('run', '-d', '--name', name, '--network', 'none', ...args),
      mainPid: async (name) => Number(await inspect(name, '.State.Pid')),
      start: (options = {}) =>
        scene.start({ ...options, environment: { DOCKER_SOCKET: engine.socket, ...options.environment } }),
      async close() {
        await scene.close();
        await engine.stop();
      },
    };
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

/** Containers on two busy cores take their time. */
const PATIENCE_MS = 50_000;

/** Waits until all of these probes are up. */
export async function untilAllUp(daemon: Daemon, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const isUp = async () => (await probeOf(daemon, name)).state === 'up';
    await until(isUp, { what: `${name} to be up`, withinMs: PATIENCE_MS });
  }
}

/** Waits until the newest incident of a probe satisfies the check, and tells its whole story. */
export async function untilStory(
  daemon: Daemon,
  subject: string,
  what: string,
  check: (story: SeenStory) => boolean,
): Promise<SeenStory> {
  let last: SeenStory | undefined;
  try {
    return await until(
      async () => {
        const [newest] = await incidentsOf(daemon, subject);
        last = newest && (await daemon.api<SeenStory>(`incidents/${newest.id}`));
        return last && check(last) ? last : undefined;
      },
      { what: `the incident of ${subject} to be ${what}`, withinMs: PATIENCE_MS },
    );
  } catch (error) {
    throw new Error(`the incident of ${subject} was never ${what}: ${JSON.stringify(last)}`, { cause: error });
  }
}

export const isOver = ({ resolved_at }: SeenStory) => resolved_at !== undefined;
export const isRefused = ({ attempts }: SeenStory) => attempts.some(({ refusal }) => refusal !== undefined);
/** Fixes that were run, not refused, oldest first. */
export const fixesOf = ({ attempts }: SeenStory) =>
  attempts
    .filter(({ state }) => state !== 'refused')
    .map(({ remediation }) => remediation)
    .toReversed();
