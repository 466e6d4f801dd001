/** Errors as RFC 9457 problem details. */
import { STATUS_CODES } from 'node:http';
import type { z } from 'zod';
import { AppError, ConflictError, codeOf, messageOf, NotFoundError, RetryableError, UsageError } from '../errors.ts';
import { InvalidRequest } from './route.ts';
import type { problemDetails } from './schemas.ts';

export type ProblemDetails = z.input<typeof problemDetails>;

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export function problemDetailsOf(status: number, code: string, detail?: string): ProblemDetails {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, code };
}

/** What a thrown error means to the client. Internal errors say nothing of themselves. */
export function problemOf(error: unknown): ProblemDetails {
  if (error instanceof InvalidRequest) {
    return { ...problemDetailsOf(400, error.code, error.message), errors: [...error.issues] };
  }
  const status = error instanceof AppError ? statusOf(error) : clientErrorStatus(error);
  if (status === undefined) return problemDetailsOf(500, 'internal', 'the daemon logged what went wrong');
  const detail = status === 415 ? 'send the body as JSON, with content-type: application/json' : messageOf(error);
  return problemDetailsOf(status, (codeOf(error) ?? 'error').toLowerCase(), detail);
}

function statusOf(error: AppError): number | undefined {
  if (error instanceof UsageError) return 400;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof ConflictError) return 409;
  return error instanceof RetryableError ? 503 : undefined;
}

/** What Fastify throws about a request: 413, 415, a body that is not JSON. */
function clientErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}
