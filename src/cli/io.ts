/** What a command may use of the terminal and the environment; handed in, so that commands can be tested and embedded. */
export interface CliIo {
  /** Writes to standard output as it is: lines end in `\n`. */
  out(text: string): void;
  /** Writes to standard error as it is. */
  err(text: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly color: boolean;
}
