/**
 * Failpoints: named places at which a test makes the daemon die, hang or stall. The straight line calls
 * `failpoint('name')` between its durable steps, which costs one comparison. They are armed only by `armFailpoints`,
 * which app.ts calls for one reason: both variables below are set, the second to a sentence nobody sets by accident.
 */
import { AppError } from './errors.ts';

export const FAILPOINTS = [
  'observed',
  'transition_open',
  'transition_committed',
  'before_send',
  'after_send',
  'attempt_intended',
  'attempt_running',
  'child_gated',
  'act_done',
  'attempt_verifying',
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/** `BRAINSTEM_FAILPOINTS="attempt_running=kill,observed=spin:3000@2"`: act at the second passage. */
export const FAILPOINT_VARIABLE = 'BRAINSTEM_FAILPOINTS';
export const FAILPOINT_CONSENT = { name: 'BRAINSTEM_FAILPOINTS_CONSENT', value: 'kill this test daemon' } as const;

interface Armed {
  readonly act: () => void;
  remaining: number;
}

// The one mutable module state of the daemon: empty for ever in production.
let armed: ReadonlyMap<Failpoint, Armed> | undefined;

export function failpoint(name: Failpoint): void {
  if (armed === undefined) return;
  const point = armed.get(name);
  if (!point) return;
  point.remaining -= 1;
  if (point.remaining === 0) point.act();
}

/** Arms what the environment asks for, and only with consent. Errors: an unknown name or act. */
export function armFailpoints(environment: Readonly<Record<string, string | undefined>>): void {
  const written = environment[FAILPOINT_VARIABLE];
  if (!written || environment[FAILPOINT_CONSENT.name] !== FAILPOINT_CONSENT.value) return;
  armed = new Map(written.split(',').map(parse));
}

function parse(text: string): [Failpoint, Armed] {
  const match = /^(\w+)=(\w+)(?::(\d+))?(?:@(\d+))?$/.exec(text.trim());
  const name = FAILPOINTS.find((known) => known === match?.[1]);
  const act = match?.[2] === 'kill' ? kill : match?.[2] === 'spin' ? () => spin(Number(match[3] ?? 0)) : undefined;
  if (!name || !act) throw new AppError('failpoint_unknown', `cannot arm failpoint "${text}"`);
  return [name, { act, remaining: Number(match?.[4] ?? 1) }];
}

function kill(): void {
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way; nothing of ours may run meanwhile.
  for (;;);
}

function spin(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}
