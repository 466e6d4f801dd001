/** docs/estate.md: what this repository's own definitions watch, what heals it, and which variables each needs. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '../src/config/load.ts';
import type { Configuration, Probe, Remediation } from '../src/model.ts';
import { registries } from '../src/registries.ts';
import { formatDuration } from '../src/units.ts';

const INTRODUCTION = `<!-- Generated from \`probes/\` and \`remediations/\` by \`npm run generate\`: edit those, not this page. -->

# The estate

What the definitions of this repository watch, and what they do about it. Every address and secret comes from the environment
(\`.env.example\` says what each variable is, and which thresholds can be changed); until its variables are set, a probe or a fix is
unconfigured: listed, not run, not failing. What a fix does, and never does, and what to look at when it did not help, is
written above it in its file: read that when you are woken.
`;

/** The page for the definitions of a repository, as they are with nothing set. */
export async function estatePage(root: string): Promise<string> {
  const { probes, remediations } = await loadWithNothingSet(root);
  return [
    INTRODUCTION,
    '## Probes\n',
    table(['probe', 'watches', 'in', 'every', 'healed by', 'needs'], [...probes.values()].map(probeRow)),
    '## Fixes\n',
    'A fix that is *observe* says what it would do, one that is *approve* waits for a person.\n',
    table(['fix', 'does', 'in', 'at most', 'mode', 'needs'], [...remediations.values()].map(fixRow)),
  ].join('\n');
}

/** From a copy, so that nobody's own .env has a say in it. */
async function loadWithNothingSet(root: string): Promise<Configuration> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-estate-'));
  try {
    for (const name of ['brainstem.yml', 'credentials.yaml', 'probes', 'remediations']) {
      await cp(join(root, name), join(home, name), { recursive: true });
    }
    return await loadConfiguration(home, { registries, environment: {} });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function probeRow({ name, title, type, schedule, remediate, unset, location }: Probe): string[] {
  const fixes = remediate.flatMap(({ rungs }) => rungs.map(({ remediation }) => remediation));
  // A job's deadline decides when a heartbeat is looked at.
  const isRegular = schedule.kind === 'interval' && type !== 'heartbeat';
  const every = isRegular ? formatDuration(schedule.everyMs) : '–';
  return [code(name), title, fileOf(location.file), every, codes(fixes), codes(unset)];
}

function fixRow({ name, title, limit, mode, unset, location }: Remediation): string[] {
  const atMost = `${limit.count} in ${formatDuration(limit.windowMs)}`;
  return [code(name), title, fileOf(location.file), atMost, mode, codes(unset)];
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const lines = [head, head.map(() => '---'), ...rows.toSorted(byFile)];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

/** Sorted by file, the third cell; within it in the order of the file. */
const byFile = (left: readonly string[], right: readonly string[]) => (left[2] ?? '').localeCompare(right[2] ?? '');

const fileOf = (path: string) => path.replace(/^.*\//, '');
const code = (text: string) => `\`${text}\``;
const codes = (texts: readonly string[]) => [...new Set(texts)].map(code).join(', ') || '–';
