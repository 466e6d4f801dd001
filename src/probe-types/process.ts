/** Probe type `process`: the processes of this machine that match, by `/proc`, without a child of our own. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { type ProcessEntry, readProcess, readStatus, TICKS_PER_SECOND } from '../shared/process-table.ts';
import { cachedFile } from './cached-file.ts';
import { ownTrouble, ProbeFailure } from './failure.ts';
import { parseUptime } from './host-figures.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { checkPattern } from './pattern.ts';
import { cpuPercentSince, type Past, remember } from './process-past.ts';
import {
  type CommandReader,
  countOpenFiles,
  createCommandReader,
  findProcesses,
  type Wanted,
} from './process-search.ts';

const processSpec = z
  .strictObject({
    pattern: z
      .string()
      .min(1)
      .superRefine(checkPattern())
      .optional()
      .describe(
        'Regular expression (RE2, linear in time) that the command line must match: the first 4 KiB of it, its arguments separated by blanks',
      ),
    name: z
      .string()
      .min(1)
      .optional()
      .describe('Exact name, as `ps -o comm` shows it. Of a longer one the first 15 characters count'),
    user: z
      .union([z.string().min(1), z.number().int().nonnegative()])
      .optional()
      .describe('Effective user: a name of /etc/passwd, or a number. Default: any'),
  })
  .refine(({ pattern, name }) => pattern !== undefined || name !== undefined, 'wants pattern, name, or both');
type ProcessSpec = z.output<typeof processSpec>;

const processFields: FieldDeclarations = {
  count: {
    type: 'double',
    summary:
      'How many match, without Brainstem and its children. Unless a condition names it, one or more are expected',
  },
  pid: { type: 'double', summary: 'Process id of the oldest; null without one' },
  uptime_s: { type: 'double', unit: 's', summary: 'Time since the oldest was started; null without one' },
  youngest_s: { type: 'double', unit: 's', summary: 'Time since the youngest was started; null without one' },
  restarts: {
    type: 'double',
    summary: 'How many, since Brainstem first looked, have gone and were replaced by new ones',
  },
  cpu_percent: { type: 'double', unit: '%', summary: 'Of one core since the last run, all together' },
  memory_bytes: {
    type: 'double',
    unit: 'B',
    summary: 'Resident memory, all together; what several share is counted for each',
  },
  threads: { type: 'double', summary: 'Threads, all together' },
  open_files: { type: 'double', summary: 'Open file descriptors, all together; null where we may not look' },
};

/** The first run of a definition has nothing to compare with: it looks twice, this far apart. */
const CPU_SAMPLE_MS = 200;

/** Remembers what each definition saw last, and a process whose command line cannot be read. */
export function createProcessProbeType(
  commandOf: CommandReader = createCommandReader(),
): ProbeType<typeof processSpec> {
  const users = cachedFile('/etc/passwd', parsePasswd);
  const patternOf = oncePerSpec(({ pattern }: ProcessSpec) => ({
    compiled: pattern === undefined ? undefined : RE2JS.compile(pattern),
  }));
  const pasts = new WeakMap<ProcessSpec, Past>();

  function wantedOf(spec: ProcessSpec): Wanted {
    return { name: spec.name, pattern: patternOf(spec).compiled, userId: userIdOf(spec.user, users()) };
  }

  async function observe(spec: ProcessSpec, { reads }: ProbeInput, context: Context): Promise<Fields> {
    const isRead = (field: string) => reads === undefined || reads.has(field);
    const found = await findProcesses(wantedOf(spec), commandOf, context.signal);
    const at = await readUptime();
    const past = pasts.get(spec);
    const now = remember(past, found, at);
    pasts.set(spec, now);
    return {
      ...agesOf(found, at),
      restarts: now.restarts,
      threads: total(found, ({ threads }) => threads),
      memory_bytes: total(found, ({ pid }) => readStatus(pid)?.residentBytes ?? 0),
      ...(isRead('cpu_percent') && {
        cpu_percent: past ? cpuPercentSince(past, found, at) : await sampleCpu(now, found, context),
      }),
      ...(isRead('open_files') && { open_files: await countOpenFiles(found, context.signal) }),
    };
  }

  async function run(spec: ProcessSpec, input: ProbeInput, context: Context): Promise<ProbeOutput> {
    if (!existsSync('/proc/self/stat')) return { reason: 'internal', fields: {}, error: 'this system has no /proc' };
    try {
      return { reason: 'ok', fields: await observe(spec, input, context) };
    } catch (thrown) {
      if (thrown instanceof ProbeFailure) return { reason: thrown.reason, fields: {}, error: thrown.message };
      if (!context.signal.aborted) throw ownTrouble(thrown) ?? thrown;
      return { reason: 'timeout', fields: {}, error: 'the processes were not read in time' };
    }
  }

  return {
    name: 'process',
    summary: 'Processes of this machine, by command line, name or user: how many, since when, what they use',
    spec: processSpec,
    mainOption: 'pattern',
    example: [
      'name: celery-workers',
      'process: { pattern: "celery .*worker", user: deploy }',
      'expect: [count >= 2, memory_bytes < 2e9]',
      'warn:',
      '  - rate("restarts", "10m") == 0',
    ].join('\n'),
    fields: processFields,
    families: [],
    impliedExpect: { unlessNames: 'count', source: 'count > 0' },
    target: describe,
    resource: (spec) => ({ kind: 'process', name: describe(spec) }),
    run,
  };
}

function describe({ name, pattern, user }: ProcessSpec): string {
  const what = [name, pattern].filter((one) => one !== undefined).join(' ');
  return user === undefined ? what : `${what} of ${user}`;
}

function agesOf(found: readonly ProcessEntry[], at: number): Fields {
  const [oldest] = found.toSorted((one, other) => one.startTicks - other.startTicks);
  const ages = found.map(({ startTicks }) => Math.max(0, at - startTicks / TICKS_PER_SECOND));
  if (!oldest) return { count: 0 };
  return { count: found.length, pid: oldest.pid, uptime_s: Math.max(...ages), youngest_s: Math.min(...ages) };
}

function total(found: readonly ProcessEntry[], figure: (entry: ProcessEntry) => number): number {
  return found.reduce((sum, entry) => sum + figure(entry), 0);
}

async function sampleCpu(first: Past, found: readonly ProcessEntry[], context: Context): Promise<number | undefined> {
  if (found.length === 0) return 0;
  await sleep(Math.min(CPU_SAMPLE_MS, context.timeoutMs / 4), undefined, { signal: context.signal });
  const again = found.map(({ pid }) => readProcess(pid)).filter((entry) => entry !== undefined);
  return cpuPercentSince(first, again, await readUptime());
}

async function readUptime(): Promise<number> {
  return parseUptime(await readFile('/proc/uptime', 'utf8'));
}

/** Errors: ProbeFailure (`not_found`) for a user that this machine does not know. */
function userIdOf(user: ProcessSpec['user'], users: ReadonlyMap<string, number>): number | undefined {
  if (user === undefined) return undefined;
  const id = users.get(String(user)) ?? (/^\d+$/.test(String(user)) ? Number(user) : undefined);
  if (id === undefined) throw new ProbeFailure('not_found', `/etc/passwd has no user ${user}`);
  return id;
}

/** passwd(5) */
function parsePasswd(text = ''): ReadonlyMap<string, number> {
  const rows = text.split('\n').map((line) => line.split(':'));
  return new Map(rows.filter((row) => row.length >= 3).map(([name = '', , id]) => [name, Number(id)]));
}
