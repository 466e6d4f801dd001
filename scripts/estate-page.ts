/** docs/estate.md: what this repository's own definitions watch, what heals it, and which variables each needs. */
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BREAKS } from '../estate/breaks.ts';
import { PARTS } from '../estate/parts/index.ts';
import { loadConfiguration } from '../src/config/load.ts';
import type { Configuration, Probe, Remediation } from '../src/model.ts';
import { registries } from '../src/registries.ts';
import { formatDuration } from '../src/units.ts';

/** How it is tried, without anything of it. */
const TRY_IT = `## Try it in miniature

\`\`\`
npm run estate -- prepare              # Debian packages when you are root, the Selenium Grid, a root file system for systemd
npm run estate                         # starts every part on loopback, and the daemon on these definitions; Ctrl-C ends all of it
npm run estate -- break redis-killed   # in another terminal; watch the console, whose address the first one prints
npm run estate -- mend redis-killed    # unless the daemon has healed it meanwhile
npm run estate -- check                # plays every break, nothing is healed meanwhile, and prints what was seen how soon
\`\`\`

The definitions are those of this repository; only how often they look is changed, to every 2 s (in a browser every 30 s), and how long they
wait, to 1 s (30 s). As root with Docker's engine the servers
run in containers of an engine of their own, so that the fixes that restart them work; otherwise they are started without. What cannot be
started is named with its reason, and its probes are unconfigured. \`BRAINSTEM_HEALING=observe npm run estate\` heals nothing. Nothing is called outside this machine, and nothing stays but \`.cache/\`.
`;

const INTRODUCTION = `<!-- Generated from \`probes/\`, \`remediations/\` and \`estate/\` by \`npm run generate\`: edit those, not this page. -->

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
    table(['probe', 'watches', 'in', 'every', 'objective', 'healed by', 'needs'], [...probes.values()].map(probeRow)),
    '## Fixes\n',
    'A fix that is *observe* says what it would do, one that is *approve* waits for a person.\n',
    table(['fix', 'does', 'in', 'at most', 'mode', 'needs'], [...remediations.values()].map(fixRow)),
    TRY_IT,
    'These are there:\n',
    ...Object.entries(PARTS).map(([name, { summary }]) => `- ${code(name)}: ${summary}`),
    '\nAnd these can be broken:\n',
    ...Object.entries(BREAKS).map(([name, { summary, red }]) => `- ${code(name)}: ${summary}; seen by ${told(red)}`),
    '',
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

const told = (red: Readonly<Record<string, string>>) =>
  Object.entries(red)
    .map(([probe, reason]) => `${code(probe)} (${reason})`)
    .join(', ');

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

function probeRow({ name, title, type, schedule, slo, remediate, unset, location }: Probe): string[] {
  const fixes = remediate.flatMap(({ rungs }) => rungs.map(({ remediation }) => remediation));
  // A job's deadline decides when a heartbeat is looked at.
  const isRegular = schedule.kind === 'interval' && type !== 'heartbeat';
  const every = isRegular ? formatDuration(schedule.everyMs) : '–';
  const objective = slo ? `${slo.objectivePercent} % in ${formatDuration(slo.windowMs)}` : '–';
  return [code(name), title, fileOf(location.file), every, objective, codes(fixes), codes(unset)];
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
