/** What the files that declare commands share. */
import type { Command } from 'commander';

/** Takes the exit code of a command, because actions of commander return nothing. */
export type Exit = (code: number) => void;

/** Every command shows how it is used. */
export function example(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText(
    'after',
    `\nExamples:\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}`,
  );
}
