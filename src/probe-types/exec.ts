/**
 * Probe type `exec`: a Nagios-compatible plugin, or any program whose exit code says how things are.
 * 0 is fine, 1 a warning, 2 critical; 3 means that the program could not tell. Every other code is a failure too.
 */
import { z } from 'zod';
import type { FieldDeclarations, Reason } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import type { CapturedOutput } from '../shared/captured-output.ts';
import { childEnvironment } from '../shared/child-environment.ts';
import { type ChildResult, runChild } from '../shared/child-process.ts';
import {
  argvOption,
  environmentOption,
  folderOf,
  shellOption,
  workingDirectoryOption,
} from '../shared/command-options.ts';
import { parsePluginOutput } from '../shared/perfdata.ts';

const execSpec = z.strictObject({
  argv: argvOption(),
  env: environmentOption(),
  cwd: workingDirectoryOption(),
  shell: shellOption(),
});
type ExecSpec = z.output<typeof execSpec>;

const fields: FieldDeclarations = {
  exit_code: { type: 'double', summary: '0 fine, 1 warning, 2 critical, 3 unknown; 128 + n after a signal' },
  stdout: { type: 'string', summary: 'Standard output, the first 4 KiB' },
  perfdata: { type: 'dyn', summary: 'Performance data of a Nagios plugin: label to number, such as perfdata.time' },
};

export const exec: ProbeType<typeof execSpec> = {
  name: 'exec',
  summary: 'Run a Nagios-compatible plugin, or any program that tells by its exit code',
  spec: execSpec,
  mainOption: 'argv',
  example: [
    'name: processes',
    'exec: { argv: ["/usr/lib/nagios/plugins/check_procs", "-c", "1:"] }',
    'expect: [perfdata.procs < 2000]',
  ].join('\n'),
  fields,
  families: [],
  impliedWarn: { unlessNames: 'exit_code', source: 'exit_code != 1' },
  target: (spec) => spec.argv[0],
  run,
};

/** Shorter than an action's: a probe has nothing to clean up, and its next run waits. */
const GRACE_MS = 500;

async function run(spec: ExecSpec, input: ProbeInput, context: Context): Promise<ProbeOutput> {
  const result = await runChild({
    argv: spec.argv,
    cwd: folderOf(spec.cwd, input.folder ?? '.'),
    env: childEnvironment(context.environment ?? {}, spec.env),
    signal: context.signal,
    graceMs: GRACE_MS,
  });
  return observe(result);
}

function observe(result: ChildResult): ProbeOutput {
  if (result.kind === 'not_started') {
    const reason = result.code === 'aborted' ? 'timeout' : 'internal';
    return { reason, fields: {}, error: result.error };
  }
  if (result.kind === 'killed') return { reason: 'timeout', fields: {}, error: withOutput(result.why, result.stdout) };
  return observeExit(result);
}

const STDOUT_CHARS = 4_096;

function observeExit({ exitCode, signal, stdout, stderr }: ChildResult & { readonly kind: 'exited' }): ProbeOutput {
  const { summary, perfdata } = parsePluginOutput(stdout.text);
  const seen = { exit_code: exitCode, stdout: stdout.text.trimEnd().slice(0, STDOUT_CHARS), perfdata };
  const reason = signal ? 'internal' : reasonOf(exitCode);
  if (reason === 'ok') return { reason, fields: seen };
  const said = summary || stderr.text.trim();
  const ended = signal ? `ended by ${signal}` : `exit code ${exitCode}`;
  return { reason, fields: seen, error: said ? `${ended}: ${said}` : ended };
}

/** 126 and 127 are how shells say that a program is missing: the definition is wrong, not the target. */
function reasonOf(exitCode: number): Reason {
  if (exitCode <= 1) return 'ok';
  return exitCode === 3 || exitCode === 126 || exitCode === 127 ? 'internal' : 'exit_code';
}

function withOutput(why: string, { text }: CapturedOutput): string {
  const said = text.trim();
  return said ? `${why}; it had printed: ${said}` : why;
}
