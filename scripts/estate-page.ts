/** docs/estate.md: what this repository's own definitions watch, what heals it, and which variables each needs. */
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
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
unconfigured: listed, not run, not failing. What to look at when you are woken stands above each of them in its file, and below.
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
    '## When you are woken\n',
    ...(await notesIn(root)),
    '',
  ].join('\n');
}

/** What the comments of the definitions say to whoever is woken. */
async function notesIn(root: string): Promise<string[]> {
  const files = await Promise.all(
    ['probes', 'remediations'].map(async (folder) =>
      (await readdir(join(root, folder))).filter((name) => name.endsWith('.yaml')).map((name) => `${folder}/${name}`),
    ),
  );
  const texts = await Promise.all(
    files
      .flat()
      .sort()
      .map(async (file) => [file, await readFile(join(root, file), 'utf8')] as const),
  );
  return texts.flatMap(([file, text]) => notesOf(file, text));
}

/** A block of comment lines, and the entry below it, if that is what it stands above. */
const COMMENT = /((?:^ *#.*\n)+)(?: *- name: (\S+))?/gm;

function notesOf(file: string, text: string): string[] {
  return [...text.matchAll(COMMENT)].flatMap(([, block = '', entry]) => {
    const comment = block
      .replaceAll(/^ *# ?/gm, '')
      .replaceAll('\n', ' ')
      .trim();
    const from = comment.indexOf('Woken by');
    const below = comment.includes('Woken by one of these') ? ' and those below it' : '';
    const place = entry === undefined ? code(file) : `${code(entry)}${below} in ${code(file)}`;
    return from === -1 ? [] : [`- ${place}: ${comment.slice(from)}`];
  });
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
