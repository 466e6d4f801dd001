/** The estate in miniature: an engine, the parts, and the daemon that watches them. Everything ends in reverse order. */

import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, freePort, type Home, startDaemon } from '../test/estate/daemon.ts';
import { noEngine, startEngine } from './engine.ts';
import { PACE, type Pace, writeHome } from './home.ts';
import type { Ground, Part, StartedPart } from './part.ts';
import { PARTS, type PartName, type World } from './parts/index.ts';

export interface Stage {
  readonly daemon: Daemon;
  readonly home: Home;
  readonly world: Partial<World>;
  /** What is not there, and why. */
  readonly missing: readonly Missing[];
  close(): Promise<void>;
}

export interface Missing {
  readonly part: string;
  readonly why: string;
}

export interface StageOptions {
  /** Ceiling over every remediation. Default: auto. */
  readonly healing?: string;
  /** Default: that of `npm run estate`. */
  readonly pace?: Pace;
  /** Tells what is being started. */
  readonly tell?: (text: string) => void;
}

type Cleanup = () => Promise<unknown>;

export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const cleanups: Cleanup[] = [];
  try {
    return await start(options, cleanups);
  } catch (error) {
    await cleanUp(cleanups);
    throw error;
  }
}

async function start(options: StageOptions, cleanups: Cleanup[]): Promise<Stage> {
  const { healing = 'auto', pace = PACE, tell = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-estate-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  // PostgreSQL runs as a user of its own.
  await chmod(folder, 0o755);
  tell('the Docker engine');
  const engine = await startEngine(folder);
  cleanups.push(() => engine.stop());
  const daemonPort = await freePort();
  const missing = missingParts();
  const names = (Object.keys(PARTS) as PartName[]).filter((name) => !missing.some(({ part }) => part === name));
  tell(names.join(', '));
  const parts = await startParts(names, { engine, folder, daemonPort }, cleanups);
  const world = Object.fromEntries(parts) as Partial<World>;
  const environment = {
    ...{ BRAINSTEM_LISTEN: `127.0.0.1:${daemonPort}`, BRAINSTEM_HEALING: healing },
    ...(engine.socket !== undefined && { DOCKER_SOCKET: engine.socket }),
    ...Object.assign({}, ...parts.map(([, part]) => part.environment)),
  };
  const home = await writeHome(environment, pace);
  cleanups.push(() => home.remove());
  tell('the daemon');
  const daemon = await startDaemon({
    ...{ home, port: daemonPort },
    environment: { ...world.names?.processEnvironment, ...world.systemd?.processEnvironment },
    ...(world.names && { before: world.names.before }),
  });
  cleanups.push(() => daemon.stop());
  return { daemon, home, world, missing, close: () => cleanUp(cleanups) };
}

/** All at once, since most of the time each waits for a program to be ready. */
async function startParts(
  names: readonly PartName[],
  ground: Ground,
  cleanups: Cleanup[],
): Promise<readonly (readonly [PartName, StartedPart])[]> {
  const starting = names.map(async (name) => {
    const part: Part = PARTS[name];
    const started = await part.start(ground);
    cleanups.push(() => started.stop());
    return [name, started] as const;
  });
  // Each must have ended, well or not, before what was started can be ended.
  const ends = await Promise.allSettled(starting);
  const failed = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  if (failed.length > 0) throw new AggregateError(failed, `parts of the estate did not start: ${failed.join('; ')}`);
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}

/** What cannot be started here. */
export function missingParts(): readonly Missing[] {
  const containers = noEngine();
  return [
    ...(containers === undefined ? [] : [{ part: 'containers', why: `${containers}: the servers run without them` }]),
    ...Object.entries<Part>(PARTS).flatMap(([part, { needs, hindrance }]) => {
      const packages = Object.entries(needs).flatMap(([name, path]) => (existsSync(path) ? [] : [name]));
      const why = packages.length > 0 ? `not installed: ${packages.join(', ')}` : hindrance?.();
      return why === undefined ? [] : [{ part, why }];
    }),
  ];
}

async function cleanUp(cleanups: Cleanup[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'the estate could not end all that it had started');
}
