/** The command line: names, options, help, and what each outcome exits with. */
import { resolve } from 'node:path';
import { Command, CommanderError, Help, type Option } from 'commander';
import { AppError, ConfigurationError, messageOf, UsageError } from '../errors.ts';
import { NoDaemonError } from './client.ts';
import { type Exit, example } from './command.ts';
import { addDaemonCommands } from './daemon-commands.ts';
import type { CliIo } from './io.ts';
import { plainLines } from './print.ts';
import type { RunParts } from './run.ts';
import { addStoreCommands } from './store-commands.ts';

/** What of the process the commands need, besides the terminal. */
export type ProgramParts = Omit<RunParts, 'home'>;

interface HomeOption {
  readonly home: string;
}

/** Runs one command line, without the program's own name. Resolves to the exit code; 2 for a wrong usage. */
export async function runProgram(argv: readonly string[], io: CliIo, parts: ProgramParts): Promise<number> {
  let exitCode = 0;
  const program = createProgram(io, parts, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io);
    return error.exitCode === 0 ? 0 : 2;
  }
}

/** What went wrong, for a person; the exit code says who can mend it. */
function report(error: unknown, io: CliIo): number {
  if (error instanceof ConfigurationError) io.err(`${error.message}\n`);
  else if (error instanceof AppError) io.err(`brainstem: ${plainLines(error.message)}\n`);
  else io.err(`brainstem: ${plainLines(messageOf(error))}\n`);
  return error instanceof UsageError || error instanceof NoDaemonError ? 2 : 1;
}

function createProgram(io: CliIo, parts: ProgramParts, exit: Exit): Command {
  const program = new Command('brainstem')
    .description('Probes, judges, heals, proves it, and wakes a person only when it must.')
    .version(parts.version, '-V, --version', 'print the version')
    .option('--home <dir>', 'folder with brainstem.yml, probes/ and remediations/', '.')
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: true, optionDescription })
    .configureOutput({ writeOut: io.out, writeErr: io.err, getOutHasColors: () => io.color })
    .exitOverride();
  addDaemon(program, io, parts, exit);
  addDefinitionCommands(program, io, exit);
  addProbe(program, io, parts, exit);
  addNotify(program, io, parts, exit);
  addDaemonCommands(program, io, exit);
  addStoreCommands(program, io, parts.clock, exit);
  return example(
    program,
    'brainstem run                 the daemon, in the foreground',
    'brainstem status              what is up, and what is not',
  );
}

/** Flags need not say that they are off. */
function optionDescription(option: Option): string {
  return option.defaultValue === false ? option.description : new Help().optionDescription(option);
}

function homeOf(command: Command): string {
  return resolve(command.optsWithGlobals<HomeOption>().home);
}

function addDaemon(program: Command, io: CliIo, parts: ProgramParts, exit: Exit): void {
  const command = program.command('run').description('run the daemon, in the foreground');
  example(command, 'brainstem run', 'brainstem run --home /var/lib/brainstem').action(async () => {
    const { run } = await import('./run.ts');
    exit(await run({ ...parts, home: homeOf(command) }, io));
  });
}

/** Commands about files; none needs a daemon. Each is loaded when it is used. */
function addDefinitionCommands(program: Command, io: CliIo, exit: Exit): void {
  const validate = program.command('validate [paths...]').description('check everything that would be loaded');
  example(validate, 'brainstem validate', 'brainstem validate probes/web.yaml --json')
    .option('--json', 'print the problems as JSON', false)
    .action(async (paths: string[], { json }: { json: boolean }) => {
      const command = await import('./validate.ts');
      exit(await command.validate({ paths, home: homeOf(validate), json }, io));
    });

  const explain = program
    .command('explain [type]')
    .description('options and fields of a probe, action or notifier type');
  example(explain, 'brainstem explain', 'brainstem explain http')
    .option('--json', 'print it as JSON', false)
    .action(async (type: string | undefined, { json }: { json: boolean }) => {
      const command = await import('./explain.ts');
      exit(await command.explain({ json, ...(type !== undefined && { type }) }, io));
    });

  const schema = program.command('schema [name]').description('JSON Schemas of the files, for editors');
  example(schema, 'brainstem schema probes > schema/probes.json').action(async (name: string | undefined) => {
    const command = await import('./schema.ts');
    exit(await command.schema(name === undefined ? {} : { name }, io));
  });

  const init = program.command('init <directory>').description('write a small working home; never overwrites');
  example(init, 'brainstem init ./monitoring').action(async (directory: string) => {
    const command = await import('./init.ts');
    exit(await command.init({ directory }, io));
  });

  const imports = program
    .command('import <peer> <file>')
    .description('turn the configuration of blackbox, gatus or uptime-kuma into probes');
  example(
    imports,
    'brainstem import blackbox blackbox.yml --prometheus prometheus.yml --out probes/blackbox.yaml',
    'brainstem import gatus config.yaml > probes/gatus.yaml',
    'brainstem import uptime-kuma backup.json > probes/uptime-kuma.yaml',
    '',
    'What could not be carried is named on standard error.',
  )
    .option('--prometheus <file>', 'blackbox: the scrape configurations that ask for its modules')
    .option('--targets <file>', 'blackbox: lines of TARGET, or of MODULE TARGET')
    .option('--out <file>', 'write the probes there; a file that exists is not overwritten')
    .action(async (peer: string, file: string, options: ImportOptions) => {
      const command = await import('./import.ts');
      exit(await command.importPeer({ peer, file, ...options }, io));
    });

  const doctor = program.command('doctor').description('what keeps this home from working, and what is left to set');
  example(doctor, 'brainstem doctor', 'brainstem doctor --home /var/lib/brainstem')
    .option('--json', 'print the findings as JSON', false)
    .action(async ({ json }: { json: boolean }) => {
      const command = await import('./doctor.ts');
      exit(await command.doctor({ home: homeOf(doctor), json }, io));
    });
}

interface ImportOptions {
  readonly prometheus?: string;
  readonly targets?: string;
  readonly out?: string;
}

interface ProbeOptions {
  readonly type?: string;
  readonly set: string[];
  readonly expect: string[];
  readonly json: boolean;
}

function addProbe(program: Command, io: CliIo, { clock }: ProgramParts, exit: Exit): void {
  const command = program
    .command('probe [name]')
    .description('run one probe now, without a daemon, and show what it saw');
  const collect = (value: string, before: string[]) => [...before, value];
  example(
    command,
    'brainstem probe backend-api',
    'brainstem probe --type http --set url=http://127.0.0.1:8080/ --expect "status == 200"',
    '',
    'Exits 0 up or degraded, 1 down, 3 unknown or unconfigured, 2 wrong usage.',
  )
    .option('--type <type>', 'a probe that stands in no file')
    .option('--set <option=value>', 'an option of that type; repeatable', collect, [])
    .option('--expect <condition>', 'a condition; repeatable', collect, [])
    .option('--json', 'print what it saw as JSON', false)
    .action(async (name: string | undefined, { type, ...given }: ProbeOptions) => {
      const { probe } = await import('./probe.ts');
      const which = { ...(name !== undefined && { name }), ...(type !== undefined && { type }) };
      exit(await probe({ home: homeOf(command), ...given, ...which }, io, clock));
    });
}

function addNotify(program: Command, io: CliIo, { clock }: ProgramParts, exit: Exit): void {
  const command = program.command('notify').description('send one test message through a channel, without a daemon');
  example(
    command,
    'brainstem notify --test oncall-email',
    '',
    'Exits 0 when the channel accepted it, 1 when it did not, 2 wrong usage, 3 unconfigured.',
  )
    .requiredOption('--test <notifier>', 'its name in brainstem.yml')
    .option('--json', 'print the outcome as JSON', false)
    .action(async ({ test, json }: { test: string; json: boolean }) => {
      const { notify } = await import('./notify.ts');
      exit(await notify({ home: homeOf(command), notifier: test, json }, io, clock));
    });
}
