/** Action type `exec`: a program or a script beside the definition file; the incident comes as JSON on its input. */
import { z } from 'zod';
import type { ActionInput, ActionOutput, ActionType, Context } from '../ports.ts';
import { childEnvironment } from '../shared/child-environment.ts';
import { type ChildResult, runChild } from '../shared/child-process.ts';
import {
  argvOption,
  environmentOption,
  folderOf,
  shellOption,
  workingDirectoryOption,
} from '../shared/command-options.ts';
import { incidentJson } from '../shared/incident-json.ts';

const execSpec = z.strictObject({
  argv: argvOption(),
  env: environmentOption(),
  cwd: workingDirectoryOption(),
  shell: shellOption(),
  read_only: z.boolean().default(false).describe('It changes nothing, so that it may serve as evidence'),
});
type ExecSpec = z.output<typeof execSpec>;

export const exec: ActionType<typeof execSpec> = {
  name: 'exec',
  summary: 'Run a program or a script, without a shell; the incident comes as JSON on standard input',
  spec: execSpec,
  mainOption: 'argv',
  example: [
    'name: prune-disk',
    'exec: { argv: ["./prune-disk.sh", "--keep", "7d"], env: { LC_ALL: C } }',
    'cooldown: 1h',
  ].join('\n'),
  run,
  resource: (_spec, remediation) => `exec:${remediation}`,
  would: ({ argv }) => `run ${argv.join(' ')}`,
  readsOnly: (spec) => spec.read_only,
  fromProbe: () => false,
  gated: true,
};

/** Errors: `child_not_recorded` when the store did not take the child; then the program was not started. */
async function run(spec: ExecSpec, input: ActionInput, context: Context): Promise<ActionOutput> {
  const result = await runChild({
    argv: spec.argv,
    cwd: folderOf(spec.cwd, input.folder),
    env: childEnvironment(context.environment ?? {}, spec.env),
    stdin: `${JSON.stringify(incidentJson(input))}\n`,
    signal: context.signal,
    mergeOutput: true,
    onStart: (child) => input.onChild(child),
  });
  return toOutput(result);
}

function toOutput(result: ChildResult): ActionOutput {
  if (result.kind === 'not_started') return { done: false, error: result.error };
  const output = result.stdout.text;
  if (result.kind === 'killed')
    return { done: false, output, error: killedBecause(result.why, result.survivors.length) };
  const { exitCode, signal } = result;
  if (exitCode === 0) return { done: true, exitCode, output };
  return { done: false, exitCode, output, error: signal ? `ended by ${signal}` : `exit code ${exitCode}` };
}

function killedBecause(why: string, survivors: number): string {
  const rest = survivors === 0 ? '' : `; ${survivors} of its processes could not be ended`;
  return `killed with all it started: ${why}${rest}`;
}
