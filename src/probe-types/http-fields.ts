/** What the `http` probe type observes. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FieldDeclarations, Fields } from '../model.ts';
import { certificateFields } from './certificate.ts';
import type { Body } from './http-body.ts';
import type { Lifeline } from './lifeline.ts';
import { ipField, phaseFields, tlsField } from './network-fields.ts';
import type { Seen } from './secure.ts';

/** A larger body is not parsed: it would block every other probe for too long. */
const MAX_JSON_BYTES = 8 * 2 ** 20;
/** Text beyond this is not bound to `body`, unless `max_text` says more. */
const MAX_TEXT_BYTES = 64 * 2 ** 10;
const MAX_JSON_DEPTH = 64;

/** Of one answer. */
export const answerFields: FieldDeclarations = {
  status: { type: 'double', summary: 'Status code of the final answer' },
  headers: { type: 'map', summary: 'Response headers by lower-case name' },
  body: { type: 'string', summary: 'First 64 KiB of the decoded body, as UTF-8; `max_text` changes how much' },
  json: { type: 'dyn', summary: 'The body as JSON; null when it is none, was cut, or is larger than 8 MiB' },
  phases: phaseFields({
    resolve: 'Name resolution, over all redirects',
    connect: 'TCP connect, over all redirects',
    tls: 'TLS handshake, over all redirects',
    processing: 'Request sent until the headers have come',
    transfer: 'Headers until the body is complete',
  }),
  certificate: { type: certificateFields, summary: "The server's certificate, also when it is not trusted" },
  tls: tlsField,
  redirects: { type: 'double', summary: 'Redirects that were followed' },
  final_url: { type: 'string', summary: 'Where the answer came from, without userinfo and query' },
  body_bytes: { type: 'double', unit: 'B', summary: 'Bytes of the body that were read, decoded' },
  body_truncated: { type: 'bool', summary: 'Reading stopped at max_body' },
  content_length: { type: 'double', unit: 'B', summary: 'Length that the server announced; null when it did not' },
  last_modified_s: { type: 'double', unit: 's', summary: 'Last-Modified, seconds since 1970' },
  http_version: { type: 'double', summary: 'Such as 1.1' },
  ip: ipField,
};

export const httpFields: FieldDeclarations = {
  ...answerFields,
  steps: {
    type: 'list',
    summary:
      'With `steps`: each that ran, with name, status and latency_ms; all else is of the last request. Else null',
  },
};

/** What a run has learnt so far; it is reported also when the run fails. */
export interface Sighting extends Seen {
  status: number | undefined;
  httpVersion: number | undefined;
  headers: IncomingHttpHeaders | undefined;
  body: Body | undefined;
  redirects: number;
  finalUrl: string;
}

/** @param reads top-level fields that the definition reads; undefined: all. Costly ones are made only when read. */
export function toFields(
  sighting: Sighting,
  line: Lifeline,
  reads: ReadonlySet<string> | undefined,
  textBytes = MAX_TEXT_BYTES,
): Fields {
  const { headers = {}, body } = sighting;
  const isRead = (field: string) => reads === undefined || reads.has(field);
  return {
    status: sighting.status,
    phases: line.phases,
    certificate: sighting.peer?.certificate,
    tls: sighting.peer?.tls,
    redirects: sighting.redirects,
    final_url: sighting.finalUrl,
    body_bytes: body?.bytes,
    body_truncated: body?.truncated,
    content_length: headers['content-length'] === undefined ? undefined : finite(Number(headers['content-length'])),
    last_modified_s:
      headers['last-modified'] === undefined ? undefined : finite(Date.parse(headers['last-modified']) / 1_000),
    http_version: sighting.httpVersion,
    ip: sighting.ip,
    headers: isRead('headers') && sighting.headers ? flatten(sighting.headers) : undefined,
    body: isRead('body') && body ? body.content.subarray(0, textBytes).toString() : undefined,
    json: isRead('json') && body && looksLikeJson(body, headers) ? parseJson(body.content.toString()) : undefined,
  };
}

/** How many bytes of the body are wanted for the fields that are read. */
export function wantedBytes(
  reads: ReadonlySet<string> | undefined,
  { max_text: textBytes = MAX_TEXT_BYTES }: { readonly max_text?: number | undefined },
): number {
  if (reads === undefined || reads.has('json')) return MAX_JSON_BYTES;
  return reads.has('body') ? textBytes : 0;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function flatten(headers: IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    flat[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return flat;
}

function looksLikeJson(body: Body, headers: IncomingHttpHeaders): boolean {
  if (body.truncated || body.bytes !== body.content.length) return false;
  if (headers['content-type']?.includes('json')) return true;
  const first = body.content.find((byte) => byte > 0x20);
  return first === 0x7b || first === 0x5b;
}

/** undefined when it is not JSON, or nested so deep that whoever walks it could overflow the stack. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MAX_JSON_DEPTH) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Greatest nesting of brackets outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let greatest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (inString) {
      if (character === 0x5c) index += 1;
      else if (character === 0x22) inString = false;
    } else if (character === 0x22) inString = true;
    else if (character === 0x7b || character === 0x5b) greatest = Math.max(greatest, ++depth);
    else if (character === 0x7d || character === 0x5d) depth -= 1;
  }
  return greatest;
}
