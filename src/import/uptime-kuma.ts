/** A backup of Uptime Kuma (JSON) to probes. */
import { UsageError } from '../errors.ts';
import { own } from '../own.ts';
import {
  compact,
  createNames,
  type Entry,
  type Imported,
  type Loss,
  labelsOf,
  literal,
  type Sources,
  seconds,
} from './entry.ts';
import { checkKuma, isOn, type Monitor, probeOf } from './uptime-kuma-types.ts';

type Lost = (what: string) => void;

export function uptimeKuma({ file }: Sources): Imported {
  const { monitors, sections } = readBackup(file.text, file.name);
  const losses: Loss[] = [...sections].map((section) => ({
    where: `${file.name}: ${section}`,
    what: own(ADVICE, section) ?? 'it has no counterpart',
  }));
  const names = createNames();
  const byId = new Map(monitors.map((monitor) => [monitor.id, monitor]));
  const entries = monitors.flatMap((monitor) => {
    const lost: Lost = (what) => losses.push({ where: `monitor "${monitor.name}"`, what });
    return toEntry(monitor, byId, names, lost);
  });
  return { entries, losses };
}

const ADVICE: Readonly<Record<string, string>> = {
  notificationList: 'channels are notifiers and routes of brainstem.yml',
  proxyList: 'a proxy is written into the probe that uses it',
};

function readBackup(text: string, name: string): { monitors: readonly Monitor[]; sections: ReadonlySet<string> } {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError('import_unreadable', `${name} is not JSON: ${error.message}`, { cause: error });
  }
  const backup = checkKuma(data);
  if (!backup)
    throw new UsageError('import_unreadable', `${name} is no backup of Uptime Kuma: it has no "monitorList"`);
  const sections = Object.entries(backup).filter(([, list]) => Array.isArray(list) && list.length > 0);
  return {
    monitors: backup.monitorList,
    sections: new Set(sections.map(([key]) => key).filter((key) => key !== 'monitorList')),
  };
}

function toEntry(
  monitor: Monitor,
  byId: ReadonlyMap<unknown, Monitor>,
  names: (text: string) => string,
  lost: Lost,
): readonly Entry[] {
  // A group is what its members say they belong to.
  if (monitor.type === 'group') return [];
  const probe = probeOf(monitor, lost);
  if (!probe) return [];
  const everyS = Number(monitor['interval'] ?? 60) || 60;
  const retryS = Number(monitor['retryInterval'] ?? 0);
  reportRest(monitor, lost);
  const isHeartbeat = probe.type === 'heartbeat';
  const entry = {
    name: names(monitor.name),
    title: literal(monitor.name),
    [probe.type]: literal(probe.spec),
    ...(!isHeartbeat && { every: seconds(everyS), timeout: seconds(timeoutOf(monitor, everyS)) }),
    ...compact({
      ...(!isHeartbeat && {
        retry_every: retryS > 0 && retryS < everyS ? seconds(retryS) : undefined,
        fail_after: Number(monitor['maxretries'] ?? 0) + 1,
        recover_after: 1,
      }),
      expect: literal(probe.expect),
      warn: literal(probe.warn),
      group: literal(byId.get(monitor['parent'])?.name),
      labels: literal(labelsOf(tagsOf(monitor), lost)),
      paused: isOn(monitor['active'] ?? true) ? undefined : true,
    }),
  };
  return [entry];
}

/** Without one Uptime Kuma waits for four fifths of the interval. */
function timeoutOf(monitor: Monitor, everyS: number): number {
  const written = Math.floor(Number(monitor['timeout'] ?? 0));
  return Math.max(1, Math.min(written > 0 ? written : Math.floor(everyS * 0.8), everyS));
}

function tagsOf({ tags }: Monitor): readonly (readonly [string, string])[] {
  if (!Array.isArray(tags)) return [];
  return tags.map((tag: { name?: unknown; value?: unknown }) => [
    String(tag.name ?? '').replace(/[^A-Za-z0-9_]+/g, '_'),
    String(tag.value ?? ''),
  ]);
}

function reportRest(monitor: Monitor, lost: Lost): void {
  if (isOn(monitor['upsideDown']))
    lost('"upside down": what must fail cannot be expected; write the opposite condition');
  if (Number(monitor['resendInterval'] ?? 0) > 0) lost('"resend": reminders are `repeat` of a route of brainstem.yml');
  if (monitor['proxyId']) lost('its proxy: write `proxy` into the probe');
  const heard = monitor['notificationIDList'];
  if (typeof heard === 'object' && heard !== null && Object.keys(heard).length > 0)
    lost('whom it notifies: that is a route of brainstem.yml');
}
