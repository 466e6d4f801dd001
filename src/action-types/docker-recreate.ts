/**
 * Replaces a container by a new one of the same configuration, image, networks and volumes. Nothing is pulled. Until the
 * new one has started, every step has a way back, taken in reverse order when a later step fails.
 */
import { z } from 'zod';
import { AppError, messageOf } from '../errors.ts';
import type { Context } from '../ports.ts';
import type { Engine } from '../shared/docker-engine.ts';
import { callEngine, engineMessage, parseAnswer, statusOf, withSignal } from '../shared/docker-engine.ts';
import { unlessAlready } from './docker-calls.ts';

const record = z.record(z.string(), z.unknown());
const ENDPOINT = z.looseObject({
  IPAMConfig: record.nullish(),
  Links: z.array(z.string()).nullish(),
  Aliases: z.array(z.string()).nullish(),
  DriverOpts: z.record(z.string(), z.string()).nullish(),
});
const INSPECTION = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  State: z.object({ Running: z.boolean() }),
  Config: z.looseObject({ Image: z.string(), Hostname: z.string().optional() }),
  HostConfig: z.looseObject({
    NetworkMode: z.string().default('default'),
    UTSMode: z.string().optional(),
    AutoRemove: z.boolean().default(false),
    Binds: z.array(z.string()).nullish(),
    Mounts: z.array(z.looseObject({ Target: z.string() })).nullish(),
  }),
  Mounts: z.array(
    z.object({ Type: z.string(), Name: z.string().optional(), Destination: z.string(), RW: z.boolean() }),
  ),
  NetworkSettings: z.object({ Networks: z.record(z.string(), ENDPOINT) }),
});
const NAMED = z.object({ Name: z.string() });
const CREATED = z.object({ Id: z.string() });
type Inspection = z.output<typeof INSPECTION>;
type Endpoint = z.output<typeof ENDPOINT>;

/** A rollback after the deadline gets this long. */
const ROLLBACK_MS = 5_000;

/**
 * Returns the new container's id. `inspection`: the engine's answer about the old one, which gets `graceMs` to stop
 * before it is killed.
 */
export async function recreate(
  engine: Engine,
  inspection: unknown,
  graceMs: number,
  context: Context,
): Promise<string> {
  const { signal } = context;
  const old = parseAnswer(INSPECTION, inspection);
  const name = old.Name.replace(/^\//, '');
  if (old.HostConfig.AutoRemove) {
    throw new AppError('docker_auto_remove', `${name} was started with --rm: stopping it removes it, with no way back`);
  }
  const undo: Undo[] = [];
  try {
    return await replace(engine, old, graceMs, signal, undo);
  } catch (error) {
    const failures = await rollBack(undo);
    context.log.warn('docker_recreate_rolled_back', { container: name, error: messageOf(error), failures });
    if (failures.length === 0) throw error;
    const text = `${engineMessage(error)}; rolling back failed: ${failures.join('; ')}`;
    throw new AppError('docker_rollback', text, { cause: error });
  }
}

type Container = ReturnType<Engine['getContainer']>;
type Undo = (signal: AbortSignal) => Promise<unknown>;

async function replace(engine: Engine, old: Inspection, graceMs: number, signal: AbortSignal, undo: Undo[]) {
  const name = old.Name.replace(/^\//, '');
  const mark = old.Id.slice(0, 12);
  const before = engine.getContainer(old.Id);
  const after = await createLike(engine, old, `${name}.new-${mark}`, signal, undo);

  if (old.State.Running) undo.push((within) => unlessAlready(before.start({ abortSignal: within })));
  await withSignal(signal, unlessAlready(before.stop({ t: Math.ceil(graceMs / 1_000), abortSignal: signal })));
  undo.push((within) => giveNameBack(before, name, within));
  await withSignal(signal, before.rename({ name: `${name}.old-${mark}`, abortSignal: signal }));
  // The new one must be out of the way, its name and its ports, before the old one takes both back.
  undo.push((within) => removeIfThere(after, within));
  await withSignal(signal, after.rename({ name, abortSignal: signal }));
  await withSignal(signal, after.start({ abortSignal: signal }));
  undo.length = 0;
  // Named and anonymous volumes belong to the new container now.
  await withSignal(signal, before.remove({ v: false, abortSignal: signal }));
  return after.id;
}

async function createLike(engine: Engine, old: Inspection, name: string, signal: AbortSignal, undo: Undo[]) {
  // What an attempt that was cut off left behind; it has never run.
  await removeIfThere(engine.getContainer(name), signal);
  const { body, others } = likenessOf(old, await imageOf(engine, old, signal));
  const call = { method: 'POST', path: '/containers/create', query: { name }, body, signal } as const;
  const created = engine.getContainer(parseAnswer(CREATED, await callEngine(engine, call)).Id);
  undo.push((within) => removeIfThere(created, within));
  for (const { network, endpoint } of others) {
    const connect = { Container: created.id, EndpointConfig: endpoint, abortSignal: signal };
    await withSignal(signal, engine.getNetwork(network).connect(connect));
  }
  return created;
}

/** The engine refuses a name that the container still has. */
async function giveNameBack(container: Container, name: string, signal: AbortSignal): Promise<void> {
  const { Name } = parseAnswer(NAMED, await withSignal(signal, container.inspect({ abortSignal: signal })));
  if (Name !== `/${name}`) await withSignal(signal, container.rename({ name, abortSignal: signal }));
}

async function removeIfThere(container: Container, signal: AbortSignal): Promise<void> {
  try {
    await withSignal(signal, container.remove({ force: true, v: false, abortSignal: signal }));
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}

/** The image's name while it still names the same image; recreating must not deploy another one. */
async function imageOf(engine: Engine, old: Inspection, signal: AbortSignal): Promise<string> {
  try {
    const named = await withSignal(signal, engine.getImage(old.Config.Image).inspect());
    return named.Id === old.Image ? old.Config.Image : old.Image;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    return old.Image;
  }
}

/** What `create` is given, so that the new container is as the old one was, and what it is to be connected to after. */
export function likenessOf(old: Inspection, image: string) {
  const { Hostname, ...config } = old.Config;
  const { NetworkMode, UTSMode, Binds } = old.HostConfig;
  const [first, ...others] = endpointsOf(old);
  const shared = NetworkMode.startsWith('container:');
  // The default host name is the old id; the engine refuses one where the container shares another's.
  const keepsHostname = Hostname !== old.Id.slice(0, 12) && NetworkMode !== 'host' && UTSMode !== 'host' && !shared;
  const body = {
    ...config,
    ...(keepsHostname && { Hostname }),
    ...(shared && { ExposedPorts: {} }),
    Image: image,
    HostConfig: { ...old.HostConfig, Binds: [...(Binds ?? []), ...anonymousVolumes(old)] },
    ...(first && { NetworkingConfig: { EndpointsConfig: { [first.network]: first.endpoint } } }),
  };
  return { body, others };
}

/** Volumes that only the old container names: without them its data would be left behind. */
function anonymousVolumes({ Mounts, HostConfig }: Inspection): string[] {
  const named = new Set([
    ...(HostConfig.Binds ?? []).map((bind) => bind.split(':')[1]),
    ...(HostConfig.Mounts ?? []).map((mount) => mount.Target),
  ]);
  return Mounts.filter((mount) => mount.Type === 'volume' && mount.Name && !named.has(mount.Destination)).map(
    (mount) => `${mount.Name}:${mount.Destination}${mount.RW ? '' : ':ro'}`,
  );
}

const BUILT_IN_NETWORKS: ReadonlySet<string> = new Set(['default', 'bridge', 'host', 'none']);

/** User-defined networks, the one of the network mode first: before API 1.44, `create` takes only one. */
function endpointsOf({ Id, HostConfig, NetworkSettings }: Inspection) {
  return Object.entries(NetworkSettings.Networks)
    .filter(([network]) => !BUILT_IN_NETWORKS.has(network))
    .sort(([one], [other]) => Number(other === HostConfig.NetworkMode) - Number(one === HostConfig.NetworkMode))
    .map(([network, endpoint]) => ({ network, endpoint: endpointOf(endpoint, Id) }));
}

function endpointOf({ IPAMConfig, Links, Aliases, DriverOpts }: Endpoint, id: string) {
  return {
    ...(IPAMConfig && { IPAMConfig }),
    ...(Links && { Links }),
    ...(DriverOpts && { DriverOpts }),
    Aliases: (Aliases ?? []).filter((alias) => alias !== id.slice(0, 12)),
  };
}

/** Takes every way back, newest first; returns what went wrong. */
async function rollBack(undo: readonly Undo[]): Promise<string[]> {
  const failures: string[] = [];
  const signal = AbortSignal.timeout(ROLLBACK_MS);
  for (const step of undo.toReversed()) {
    await withSignal(signal, step(signal)).catch((error: unknown) => failures.push(engineMessage(error)));
  }
  return failures;
}
