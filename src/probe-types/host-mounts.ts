/** Which file systems a host has, and how full they are. */
import type { StatsFs } from 'node:fs';
import { codeOf } from '../errors.ts';
import { percent } from './host-figures.ts';

export interface Mount {
  readonly path: string;
  /** Its answer may never come: NFS and its like. */
  readonly remote: boolean;
}

export interface MountUsage {
  readonly disk_percent: number;
  /** undefined: the file system counts no inodes (btrfs, vfat). */
  readonly inodes_percent?: number;
}

export type MountReading = { readonly path: string } & (
  | { readonly kind: 'read'; readonly usage: MountUsage }
  /** The path is not there, or may not be read. */
  | { readonly kind: 'failed'; readonly code: string }
  /** No answer in time. */
  | { readonly kind: 'hanging' }
  /** A remote one, whose turn did not come because another one hangs. */
  | { readonly kind: 'waiting' }
);

const REMOTE = new Set(['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', 'glusterfs', '9p', 'afs', 'lustre']);
/** Always full by design. */
const IMAGES = new Set(['squashfs', 'iso9660', 'udf', 'erofs', 'cramfs']);

/** What container engines mount over single files. */
const CONTAINER_FILES = new Set(['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']);

/** `/proc/self/mountinfo`: the file systems that can fill up, each once, at its shortest path. */
export function findMounts(mountinfo: string): readonly Mount[] {
  const byDevice = new Map<string, MountLine>();
  for (const line of parseMountinfo(mountinfo).filter(isReal)) {
    const known = byDevice.get(line.device);
    if (!known || line.path.length < known.path.length) byDevice.set(line.device, line);
  }
  const mounts = [...byDevice.values()].map(({ path, type }) => ({ path, remote: isRemote(type) }));
  return mounts.sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** The file systems on which these paths lie, whatever they are. */
export function mountsOf(paths: readonly string[], mountinfo: string): readonly Mount[] {
  const lines = parseMountinfo(mountinfo);
  return paths.map((path) => {
    const holding = lines.filter((line) => path === line.path || path.startsWith(line.path.replace(/\/?$/, '/')));
    const nearest = holding.reduce<MountLine | undefined>(
      (best, line) => (best && best.path.length > line.path.length ? best : line),
      undefined,
    );
    return { path, remote: nearest !== undefined && isRemote(nearest.type) };
  });
}

interface MountLine {
  readonly device: string;
  readonly path: string;
  readonly type: string;
  readonly source: string;
}

function parseMountinfo(mountinfo: string): readonly MountLine[] {
  return mountinfo
    .split('\n')
    .map(parseMount)
    .filter((line) => line !== undefined);
}

/** `36 35 98:0 /root /path options tags… - type source super-options`; blanks in paths are octal. */
function parseMount(line: string): MountLine | undefined {
  const [before = '', after = ''] = line.split(' - ');
  const [, , device, , path] = before.split(' ');
  const [type, source] = after.split(' ');
  if (device === undefined || path === undefined || type === undefined || source === undefined) return undefined;
  return { device, path: unescapeOctal(path), type, source };
}

/** On a disk, remote, ZFS, or the overlay that is a container's root. Folders in memory and of the kernel are not. */
function isReal({ path, type, source }: MountLine): boolean {
  if (IMAGES.has(type) || CONTAINER_FILES.has(path)) return false;
  return source.startsWith('/dev/') || isRemote(type) || type === 'zfs' || (type === 'overlay' && path === '/');
}

function isRemote(type: string): boolean {
  return REMOTE.has(type) || type.startsWith('fuse.');
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

/** statfs(2). */
export type Statfs = (path: string) => Promise<Pick<StatsFs, 'blocks' | 'bfree' | 'bavail' | 'files' | 'ffree'>>;

export interface MountReader {
  /** Every mount gives one reading, at the latest after `withinMs`. */
  read(mounts: readonly Mount[], withinMs: number): Promise<readonly MountReading[]>;
}

interface Owed {
  state: 'waiting' | 'hanging';
  readonly reading: Promise<MountReading>;
}

/**
 * A hanging file system holds a thread of Node's small pool until it answers, if ever. So remote ones are asked one
 * after the other, and who asks for a path that still owes an answer waits for that answer: together they hold one
 * thread at most.
 */
export function createMountReader(statfsOf: Statfs): MountReader {
  const owing = new Map<string, Owed>();
  let lane: Promise<unknown> = Promise.resolve();

  async function ask(path: string): Promise<MountReading> {
    try {
      return { kind: 'read', path, usage: toUsage(await statfsOf(path)) };
    } catch (thrown) {
      const code = codeOf(thrown);
      if (code === undefined) throw thrown;
      return { kind: 'failed', path, code };
    }
  }

  function askInTurn(path: string): Promise<MountReading> {
    const turn = lane.then(() => {
      const owed = owing.get(path);
      if (owed) owed.state = 'hanging';
      return ask(path);
    });
    lane = Promise.allSettled([turn]);
    return turn;
  }

  function start({ path, remote }: Mount): Owed {
    const asked = remote ? askInTurn(path) : ask(path);
    const reading = asked.finally(() => owing.delete(path));
    const owed: Owed = { state: remote ? 'waiting' : 'hanging', reading };
    owing.set(path, owed);
    return owed;
  }

  async function read(mounts: readonly Mount[], withinMs: number): Promise<readonly MountReading[]> {
    const asked = mounts.map((mount) => owing.get(mount.path) ?? start(mount));
    const deadline = createDeadline(withinMs);
    const readings = mounts.map(async ({ path }, index): Promise<MountReading> => {
      const reading = await Promise.race([asked[index]?.reading, deadline.over]);
      return reading ?? { kind: asked[index]?.state ?? 'hanging', path };
    });
    try {
      return await Promise.all(readings);
    } finally {
      deadline.cancel();
    }
  }

  return { read };
}

function createDeadline(ms: number): { readonly over: Promise<undefined>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return { over, cancel: () => clearTimeout(timer) };
}

/** As df counts: what only root may still fill is not available. */
function toUsage({ blocks, bfree, bavail, files, ffree }: Awaited<ReturnType<Statfs>>): MountUsage {
  const used = blocks - bfree;
  return {
    disk_percent: percent(used, used + bavail),
    ...(files > 0 && { inodes_percent: percent(files - ffree, files) }),
  };
}
