/** Probe type `group`: several other probes as one, by the states that they are in. It runs none of them. */
import { z } from 'zod';
import { AppError, RetryableError } from '../errors.ts';
import type { FieldDeclarations } from '../model.ts';
import type { MemberState, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';

const groupSpec = z
  .strictObject({
    probes: z
      .array(z.string().min(1))
      .min(1)
      .max(1_000)
      .describe('Names of other probes; one with `each` stands for all of its items'),
    quorum: z.number().int().min(1).optional().describe('How many must be up. Default: all'),
    share: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe('Instead of quorum: which share of them must be up, such as 0.5'),
    shown_in: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('Where it is shown: what `group`, with a text, says of other probes. Default: as for them'),
  })
  .refine(({ quorum, share }) => quorum === undefined || share === undefined, 'takes quorum or share, not both');
type GroupSpec = z.output<typeof groupSpec>;

const fields: FieldDeclarations = {
  up: { type: 'double', summary: 'how many are up or degraded' },
  total: { type: 'double', summary: 'how many count: without those that are paused, unconfigured or in maintenance' },
  down: { type: 'list', summary: 'names of those that are down, the first 100' },
  unknown: { type: 'double', summary: 'how many have not been judged yet, or cannot tell' },
};

const MAX_NAMES = 100;
/** Of the message: more than this many names, or characters of them, are counted instead. */
const TOLD = { names: 10, characters: 200 } as const;

export const group: ProbeType<typeof groupSpec> = {
  name: 'group',
  summary: 'Several other probes as one: how many of them are up',
  spec: groupSpec,
  mainOption: 'probes',
  example: `- name: web-1
  tcp: { host: 127.0.0.1, port: 8081 }
- name: web-2
  tcp: { host: 127.0.0.1, port: 8082 }
- name: web
  group: { probes: [web-1, web-2], quorum: 1 }
  warn:
    - up == total
`,
  fields,
  families: [],
  // What it reads is debounced already.
  defaults: { failAfter: 1, recoverAfter: 1 },
  members: {
    option: 'probes',
    of: ({ probes }) => probes,
    replace: (spec, probes) => ({ ...spec, probes: [...probes] }),
  },
  shownIn: (spec) => spec.shown_in,
  target: ({ probes }) => (probes.length > 3 ? `${probes.length} probes` : probes.join(', ')),
  run: async (spec, input) => judge(spec, statesOf(spec, input)),
};

interface Member {
  readonly name: string;
  readonly state: MemberState | undefined;
}

function statesOf({ probes }: GroupSpec, { stateOf }: ProbeInput): readonly Member[] {
  if (!stateOf) throw new AppError('group_needs_daemon', 'the daemon has the states of probes: ask `brainstem status`');
  return probes.map((name) => ({ name, state: stateOf(name) }));
}

/**
 * Decided as soon as those that are not known cannot change it; *unknown* while they can.
 * Errors: RetryableError while some of them have not been judged yet, which changes nothing.
 */
function judge(spec: GroupSpec, members: readonly Member[]): ProbeOutput {
  const named = (...states: MemberState[]) =>
    members.filter(({ state }) => state !== undefined && states.includes(state));
  const up = named('up', 'degraded').length;
  const down = named('down').map(({ name }) => name);
  const unjudged = named('unjudged').length;
  const unknown = named('unknown').length + unjudged;
  const total = up + down.length + unknown;
  if (total === 0) throw new RetryableError('group_undecided', 'none of its probes is watched');
  const wanted = wantedOf(spec, total);
  const seen = { up, total, down: down.slice(0, MAX_NAMES), unknown };
  if (up >= wanted) return { reason: 'ok', fields: seen };
  if (up + unknown >= wanted) {
    if (unjudged > 0) throw new RetryableError('group_undecided', `${unjudged} of its probes were not judged yet`);
    return {
      reason: 'unhealthy',
      unknown: 'witness_away',
      fields: seen,
      error: `${unknown} of its probes cannot tell`,
    };
  }
  const open = unknown === 0 ? '' : `, ${unknown} not known yet`;
  const error = `${up} of ${total} up${open}, ${wanted} wanted; down: ${namesOf(down)}`;
  return { reason: 'unhealthy', fields: seen, error };
}

/** Never more than there are: pausing one does not break the whole. */
function wantedOf({ quorum, share }: GroupSpec, total: number): number {
  return Math.min(total, quorum ?? Math.ceil((share ?? 1) * total));
}

function namesOf(names: readonly string[]): string {
  const told = names.slice(0, 1);
  for (const name of names.slice(1, TOLD.names)) {
    if (told.join(', ').length + name.length > TOLD.characters) break;
    told.push(name);
  }
  const left = names.length - told.length;
  return `${told.join(', ')}${left === 0 ? '' : ` and ${left} more`}`;
}
