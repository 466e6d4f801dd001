/** `brainstem validate`: everything a home would load, with all errors at once. */
import { access, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { listHome, OWN_FILES } from '../config/files.ts';
import { loadConfiguration } from '../config/load.ts';
import { ConfigurationError, formatProblem, UsageError } from '../errors.ts';
import type { Configuration, Problem } from '../model.ts';
import { registries } from '../registries.ts';
import { counted } from '../words.ts';
import type { CliIo } from './io.ts';
import { type Waiting, waitingIn, waitingText } from './waiting.ts';

export interface ValidateArguments {
  /** Homes, or files of a home. None: the home. */
  readonly paths: readonly string[];
  readonly home: string;
  readonly json: boolean;
}

interface Report {
  readonly home: string;
  readonly problems: readonly Problem[];
  readonly configuration?: Configuration;
  /** What of the files that were asked for is unconfigured. */
  readonly waiting?: readonly Waiting[];
}

/** Exit code: 0 when all of it would load, else 1. Errors: UsageError for a path that is not there. */
export async function validate({ paths, home, json }: ValidateArguments, io: CliIo): Promise<number> {
  const targets =
    paths.length === 0 ? [{ home: resolve(home) }] : await Promise.all(paths.map((path) => target(path, home)));
  const reports: Report[] = [];
  for (const { home, file } of targets) reports.push(await inspect(home, file, io));
  if (json) io.out(`${JSON.stringify(reports.map(asJson), undefined, 2)}\n`);
  else for (const report of reports) print(report, io);
  return reports.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

/** A folder is a home; a file is looked at within the home that it belongs to. */
async function target(path: string, home: string): Promise<{ home: string; file?: string }> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch((cause: unknown) => {
    throw new UsageError('no_such_path', `${path} cannot be read`, { cause });
  });
  if (found.isDirectory()) return { home: absolute };
  const owner = await homeOf(absolute, home);
  const file = relative(owner, absolute).replaceAll('\\', '/');
  const { probes, remediations, modules } = await listHome(owner);
  if ([...OWN_FILES, ...probes, ...remediations, ...modules].includes(file)) return { home: owner, file };
  throw new UsageError('not_loaded', `${path} is none of the files that the home ${owner} loads`);
}

/** The home that was named, when the file is in it; else the nearest folder above that has one of a home's parts. */
async function homeOf(file: string, home: string): Promise<string> {
  const named = resolve(home);
  if (!relative(named, file).startsWith('..')) return named;
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    for (const part of ['brainstem.yml', 'probes', 'remediations']) {
      if (await exists(join(folder, part))) return folder;
    }
  }
  throw new UsageError('no_home', `${file} belongs to no home; name it with --home`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function inspect(home: string, file: string | undefined, io: CliIo): Promise<Report> {
  const isAsked = ({ location }: Pick<Problem, 'location'>) => file === undefined || location.file === file;
  try {
    const configuration = await loadConfiguration(home, { registries, environment: io.environment });
    return {
      home,
      problems: [],
      configuration: { ...configuration, warnings: configuration.warnings.filter(isAsked) },
      waiting: waitingIn(configuration).filter(isAsked),
    };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { home, problems: error.problems.filter(isAsked) };
  }
}

function print({ home, problems, configuration, waiting = [] }: Report, io: CliIo): void {
  for (const problem of problems) io.err(`${formatProblem(problem)}\n`);
  if (problems.length > 0) io.err(`${counted(problems.length, 'problem')} in ${home}\n`);
  if (configuration === undefined) return;
  for (const warning of configuration.warnings) io.err(`${formatProblem(warning)} (warning)\n`);
  const { probes, remediations, notifiers } = configuration;
  io.out(
    `${home} is valid: ${counted(probes.size, 'probe')}, ${counted(remediations.size, 'remediation')}, ` +
      `${counted(notifiers.size, 'notifier')}\n${waitingText(waiting)}`,
  );
}

function asJson({ home, problems, configuration }: Report) {
  const flat = ({ location, message }: Problem) => ({ ...location, message });
  return {
    home,
    valid: configuration !== undefined,
    problems: problems.map(flat),
    warnings: (configuration?.warnings ?? []).map(flat),
    probes: [...(configuration?.probes.values() ?? [])].map(({ name, type, unset }) => ({ name, type, unset })),
    remediations: [...(configuration?.remediations.values() ?? [])].map(({ name, type, unset }) => ({
      name,
      type,
      unset,
    })),
    notifiers: [...(configuration?.notifiers.values() ?? [])].map(({ name, type, unset }) => ({ name, type, unset })),
  };
}
