/** `brainstem import`: a peer's configuration as a file of probes. What could not be carried is named on standard error. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { loadConfiguration } from '../config/load.ts';
import { ConfigurationError, codeOf, messageOf, UsageError } from '../errors.ts';
import type { Entry, Loss, SourceFile } from '../import/entry.ts';
import { importers } from '../import/index.ts';
import { didYouMean } from '../nearest.ts';
import { registries } from '../registries.ts';
import type { CliIo } from './io.ts';
import { plain } from './print.ts';

export interface ImportArguments {
  /** `blackbox`, `gatus`, `uptime-kuma`. */
  readonly peer: string;
  readonly file: string;
  readonly prometheus?: string;
  readonly targets?: string;
  /** Where the probes are written. Default: standard output. */
  readonly out?: string;
}

const MAX_BYTES = 64 * 2 ** 20;

/** Exit code 0: what could be carried was, and the rest was named. Errors: UsageError. */
export async function importPeer(given: ImportArguments, io: CliIo): Promise<number> {
  const read = Object.hasOwn(importers, given.peer) ? importers[given.peer] : undefined;
  if (!read) {
    const known = Object.keys(importers);
    const guess = didYouMean(given.peer, known) || `; there are ${known.join(', ')}`;
    throw new UsageError('peer_unknown', `nothing can be imported from "${given.peer}"${guess}`);
  }
  if (given.peer === 'blackbox' && given.prometheus === undefined && given.targets === undefined) {
    throw new UsageError('targets_missing', 'modules have no targets: name them with --prometheus or --targets');
  }
  const imported = read({
    file: await readSource(given.file),
    ...(given.prometheus !== undefined && { prometheus: await readSource(given.prometheus) }),
    ...(given.targets !== undefined && { targets: await readSource(given.targets) }),
  });
  const { entries, losses } = await onlyValid(imported.entries, io);
  await write(document(entries, given), given.out, io);
  for (const { where, what } of [...imported.losses, ...losses]) io.err(`not carried: ${plain(`${where}: ${what}`)}\n`);
  io.err(`${entries.length} probes; ${imported.losses.length + losses.length} things could not be carried\n`);
  return 0;
}

async function readSource(name: string): Promise<SourceFile> {
  const path = resolve(name);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError('no_such_file', `${name} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (text.length > MAX_BYTES) throw new UsageError('file_too_large', `${name} is larger than 64 MiB`);
  return { name, folder: dirname(path), text };
}

function document(entries: readonly Entry[], { peer }: ImportArguments): string {
  const head = `# Imported from ${peer}. Values that are secret are better taken from variables: \${NAME}.\n`;
  return head + stringify({ probes: entries }, { lineWidth: 120 });
}

async function write(text: string, out: string | undefined, io: CliIo): Promise<void> {
  if (out === undefined) return io.out(text);
  // `wx`: what a person has written is not overwritten. The values of secrets may stand in it.
  await writeFile(out, text, { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
    const why = codeOf(cause) === 'EEXIST' ? 'it is there already' : messageOf(cause);
    throw new UsageError('cannot_write', `${out} was not written: ${why}`, { cause });
  });
}

/** Each is loaded as it will be. One that is refused would keep the others from loading. */
async function onlyValid(entries: readonly Entry[], io: CliIo): Promise<{ entries: Entry[]; losses: Loss[] }> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-import-'));
  try {
    await mkdir(join(home, 'probes'));
    for (const [index, entry] of entries.entries()) {
      await writeFile(join(home, 'probes', `${index}.yaml`), stringify({ probes: [entry] }), { mode: 0o600 });
    }
    const problems = await problemsOf(home, io);
    const refused = new Map(problems.map(({ location, message }) => [indexOf(location.file), message]));
    return {
      entries: entries.filter((_, index) => !refused.has(index)),
      losses: [...refused].map(([index, what]) => ({ where: entries[index]?.name ?? 'an entry', what })),
    };
  } finally {
    await rm(home, { recursive: true });
  }
}

async function problemsOf(home: string, { environment }: CliIo) {
  try {
    await loadConfiguration(home, { registries, environment });
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

function indexOf(file: string): number {
  return Number(/^probes\/(\d+)\.yaml$/.exec(file)?.[1] ?? -1);
}
