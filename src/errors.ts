/**
 * Errors, typed by what the caller does next. What the outside world does to a probe is an observation, not an error.
 */
import type { Problem } from './model.ts';

/** Any error that Brainstem raises on purpose. `code` is stable; never match on the message. */
export class AppError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The person who asked can mend it: bad arguments, an unknown option. HTTP 400, exit 2. */
export class UsageError extends AppError {}

/** What was named does not exist. HTTP 404. */
export class NotFoundError extends AppError {}

/** It exists, but its state does not allow this now. HTTP 409. */
export class ConflictError extends AppError {}

/** Trying again later may work: a lost connection, a busy database. */
export class RetryableError extends AppError {}

/** Trying again cannot work without a person: a damaged file, a newer schema. */
export class PermanentError extends AppError {}

/** The home does not load. Carries every problem at once. */
export class ConfigurationError extends AppError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('configuration_invalid', problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** `file:line:column: message` on one line, as editors and people read it. No name in a file can steer the terminal. */
export function formatProblem({ location, message }: Problem): string {
  const text = `${location.file}:${location.line}:${location.column}: ${message}`;
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** The message of anything that was thrown, for a log or an observation. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}

/** The `code` of a system or application error, such as `ECONNREFUSED`. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
