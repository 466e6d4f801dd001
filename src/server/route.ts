/** What a route is: one entry of the literal table from which routes are registered, documented and tested. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import type { Clock, Commands, Log, OnDemandRequest, OnDemandRun, Store, Views } from '../ports.ts';
import { inputWords } from './input-words.ts';

/** `open`: anybody. `read` and `change`: whoever may see the console; `change` is refused across origins as well. */
export type Access = 'open' | 'read' | 'change';

/** What handlers may use. */
export interface ServerParts {
  readonly views: Views;
  readonly commands: Commands;
  readonly store: Store;
  readonly metrics: MetricsSource;
  readonly onDemand: OnDemandSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Applied to every text that is answered, names of definitions aside. */
  redact(text: string): string;
  readonly version: string;
}

export interface MetricsSource {
  /** `release` when `body` was sent, so that its memory serves the next scrape. */
  render(
    format: 'text' | 'openmetrics',
  ): Promise<{ readonly contentType: string; readonly body: Buffer; release(): void }>;
}

export interface OnDemandSource {
  /** Errors: UsageError, RetryableError. */
  probe(
    request: OnDemandRequest,
  ): Promise<{ readonly run: OnDemandRun; readonly contentType: string; readonly body: Buffer }>;
}

interface RouteHead {
  readonly method: 'GET' | 'POST';
  /** Fastify's form: `/api/v1/probes/:name`. */
  readonly path: string;
  readonly access: Access;
  /** One line for the OpenAPI document. */
  readonly summary: string;
}

/** JSON in, JSON out; documented in OpenAPI. */
export interface ApiRoute extends RouteHead {
  readonly kind: 'api';
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly response: z.ZodType;
  /** The answer may take minutes: the connection is not closed for being idle. */
  readonly slow: boolean;
  /** UsageError when the input does not fit its schemas. */
  answer(raw: RawInput, parts: ServerParts): Promise<unknown>;
}

/** Everything that is not JSON: pages, metrics, pings. */
export interface PlainRoute extends RouteHead {
  readonly kind: 'plain';
  /** Also answers these methods. GET implies HEAD. */
  readonly alsoPost?: boolean;
  /** A ping's body may be of any type, and of any size: its tail is kept. */
  readonly anyBody?: boolean;
  respond(request: FastifyRequest, reply: FastifyReply, parts: ServerParts): Promise<FastifyReply>;
}

export type Route = ApiRoute | PlainRoute;

export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  /** Who asks, as the request's header says. */
  readonly user?: string;
}

const EMPTY = z.strictObject({});
type Empty = typeof EMPTY;

interface ApiDefinition<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Response extends z.ZodType,
> {
  readonly path: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly response: Response;
  readonly slow?: boolean;
  answer(
    input: {
      readonly params: z.output<Params>;
      readonly query: z.output<Query>;
      readonly body: z.output<Body>;
      readonly by: string;
    },
    parts: ServerParts,
  ): Promise<z.input<Response>> | z.input<Response>;
}

/** A route that reads. */
export function get<Response extends z.ZodType, Params extends z.ZodObject = Empty, Query extends z.ZodObject = Empty>(
  definition: ApiDefinition<Params, Query, Empty, Response>,
): ApiRoute {
  return apiRoute('GET', 'read', definition);
}

/** A route that changes something. Its body may say `by`, which the header X-Brainstem-User overrules. */
export function post<Response extends z.ZodType, Params extends z.ZodObject = Empty, Body extends z.ZodObject = Empty>(
  definition: ApiDefinition<Params, Empty, Body, Response>,
): ApiRoute {
  return apiRoute('POST', 'change', definition);
}

function apiRoute<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Response extends z.ZodType,
>(method: RouteHead['method'], access: Access, definition: ApiDefinition<Params, Query, Body, Response>): ApiRoute {
  const { path, summary, params, query, body, response, slow = false } = definition;
  const actor = body?.extend(ACTOR.shape) ?? ACTOR;
  return {
    kind: 'api',
    method,
    path,
    access,
    summary,
    ...(params && { params }),
    ...(query && { query }),
    ...(method === 'POST' && { body: actor }),
    response,
    slow,
    async answer(raw, parts) {
      const { by = 'local', ...rest } = parse('body', method === 'POST' ? actor : EMPTY, raw.body ?? {}) as {
        by?: string;
      };
      return definition.answer(
        {
          params: parse('path', params, raw.params),
          query: parse('query', query, raw.query),
          // The schema was extended by `by`, which was taken out again.
          body: rest as z.output<Body>,
          by: raw.user ?? by,
        },
        parts,
      );
    },
  };
}

const ACTOR = z.strictObject({
  by: z.string().trim().min(1).max(100).optional().describe('Who asks; for the audit log'),
});

export interface InputIssue {
  readonly path: string;
  readonly message: string;
}

/** The request does not fit the schema of its route. */
export class InvalidRequest extends UsageError {
  readonly issues: readonly InputIssue[];

  constructor(issues: readonly InputIssue[]) {
    super('request_invalid', issues.map(({ path, message }) => `${path} ${message}`).join('; '));
    this.issues = issues;
  }
}

function parse<Schema extends z.ZodObject>(part: string, schema: Schema | undefined, value: unknown): z.output<Schema> {
  const expected = schema ?? EMPTY;
  const parsed = expected.safeParse(value ?? {});
  // Absent schemas are the empty object, which is then the output type as well.
  if (parsed.success) return parsed.data as z.output<Schema>;
  throw new InvalidRequest(
    parsed.error.issues.map((issue) => ({
      path: [part, ...issue.path.map(String)].join('.'),
      message: inputWords(issue, expected, value),
    })),
  );
}
