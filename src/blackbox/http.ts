/** Prober `http`. */
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import type { Fields, SpecForTarget } from '../model.ts';
import { headersOption } from '../shared/http-options.ts';
import { accessOptions, accessSpec, checkAccess, proxyFor } from './http-access.ts';
import { aboutJson } from './json-condition.ts';
import {
  familyOptions,
  fileName,
  isDefaultTls,
  pattern,
  patterns,
  routeSpec,
  tlsSpec,
  unsupported,
} from './options.ts';
import { type Check, type FileReader, matches, type Prober, quoted } from './prober.ts';

const MAX_BODY = 64 * 2 ** 20;
const REDIRECTS: ReadonlySet<unknown> = new Set([301, 302, 303, 307, 308]);
/** What Node's client speaks. */
const VERSIONS: Readonly<Record<string, string>> = { 'HTTP/1.0': '1.0', 'HTTP/1.1': '1.1' };

const headerMatch = z.strictObject({
  header: z.string().min(1),
  regexp: pattern().refine((source) => source !== '', 'must not be empty'),
  allow_missing: z.boolean().default(false),
});
type HeaderMatch = z.output<typeof headerMatch>;

const options = z
  .strictObject({
    method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).default('GET'),
    headers: headersOption().default({}),
    body: z.string().optional(),
    body_file: fileName().optional(),
    body_size_limit: size().default(0).describe('Units are powers of 1024, as in the exporter; 0: 64 MiB'),
    compression: z
      .enum(['gzip', 'deflate', 'br', 'identity', ''])
      .default('')
      .describe('Default: the body as it comes'),
    follow_redirects: z.boolean().optional().describe('Default true; at most ten'),
    no_follow_redirects: z.boolean().optional().describe('The older name for the opposite'),
    valid_status_codes: z.array(z.number().int().min(100).max(999)).default([]).describe('Default: 2xx'),
    valid_http_versions: z
      .array(z.enum(['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/2.0']))
      .default([])
      .refine((versions) => versions.length === 0 || spoken(versions).length > 0, 'can never hold: HTTP/1.1 is spoken'),
    fail_if_ssl: z.boolean().default(false),
    fail_if_not_ssl: z.boolean().default(false),
    fail_if_body_matches_regexp: patterns(),
    fail_if_body_not_matches_regexp: patterns(),
    fail_if_body_json_matches_cel: z.string().min(1).optional(),
    fail_if_body_json_not_matches_cel: z.string().min(1).optional(),
    fail_if_header_matches: z.array(headerMatch).default([]),
    fail_if_header_not_matches: z.array(headerMatch).default([]),
    enable_http2: z
      .boolean()
      .refine((enabled) => !enabled, 'is not supported by Brainstem, which speaks HTTP/1.1; remove it')
      .optional(),
    skip_resolve_phase_with_proxy: z
      .boolean()
      .optional()
      .describe('Without effect: a proxy resolves names here anyway'),
    use_proxy_dns: unsupported('remove it'),
    enable_http3: unsupported('remove it'),
    http_headers: unsupported('write them under "headers"'),
    ...accessOptions,
    ...familyOptions,
  })
  .superRefine((given, context) => {
    const complain = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    checkAccess(given, complain);
    if (given.body !== undefined && given.body_file !== undefined) complain('body_file', 'cannot stand beside "body"');
    if (given.follow_redirects !== undefined && given.no_follow_redirects !== undefined)
      complain('no_follow_redirects', 'cannot stand beside "follow_redirects"');
    for (const name of Object.keys(given.headers)) {
      const accepted = isName('accept-encoding')(name) ? String(given.headers[name]) : undefined;
      if (given.compression !== '' && accepted !== undefined && !accepts(accepted, given.compression))
        complain('compression', `is not among what the header ${name} accepts`);
    }
  });
export type HttpOptions = z.output<typeof options>;

export const http: Prober<HttpOptions> = {
  type: 'http',
  sample: 'https://127.0.0.1:1/',
  options,
  translate: (given, files) => ({
    checks: checksOf(given),
    specFor: (target, hostname) => specFor(given, files, target, hostname),
    adjust: (fields, reason) => (reason === 'ok' && follows(given) ? fields : countUnfollowed(fields)),
  }),
};

function specFor(given: HttpOptions, files: FileReader, target: string, hostname: string | undefined): SpecForTarget {
  const url = /^https?:\/\//.test(target) ? target : `http://${target}`;
  if (!URL.canParse(url)) return { fault: 'the target is not a URL' };
  const { auth, authorization } = accessSpec(given, files);
  const headers = {
    ...headersFor(given, hostname),
    ...(authorization !== undefined && { Authorization: authorization }),
  };
  const parsed = new URL(url);
  const tls = parsed.protocol === 'https:' ? tlsSpec(given.tls_config, files, hostOf(headers)) : {};
  const proxy = proxyFor(given, parsed);
  const body = given.body_file === undefined ? given.body : files.text(given.body_file);
  return {
    spec: {
      url,
      method: given.method,
      headers,
      ...(body !== undefined && { body }),
      ...(auth && { auth }),
      ...(!isDefaultTls(tls) && { tls }),
      ...(proxy !== undefined && { proxy }),
      redirects: follows(given) ? 10 : 0,
      allow_downgrade: true,
      max_body: Math.min(given.body_size_limit || MAX_BODY, MAX_BODY),
      ...(looksIntoBody(given) && { max_text: '1MiB' }),
      encoding: given.compression || 'identity',
      ...routeSpec(given),
    },
  };
}

function follows({ follow_redirects: follow, no_follow_redirects: not }: HttpOptions): boolean {
  return follow ?? !(not ?? false);
}

function looksIntoBody(given: HttpOptions): boolean {
  return given.fail_if_body_matches_regexp.length + given.fail_if_body_not_matches_regexp.length > 0;
}

function headersFor(given: HttpOptions, hostname: string | undefined): Record<string, unknown> {
  const written = hostOf(given.headers);
  if (hostname !== undefined && written !== undefined && written !== hostname) {
    const message = `the module sets the header Host to ${written}, the parameter hostname to ${hostname}`;
    throw new UsageError('hostname_conflict', message);
  }
  const asks = given.compression !== '' && !Object.keys(given.headers).some(isName('accept-encoding'));
  return {
    ...(asks && { 'Accept-Encoding': given.compression }),
    ...given.headers,
    ...(hostname !== undefined && written === undefined && { Host: hostname }),
  };
}

function hostOf(headers: Readonly<Record<string, unknown>>): string | undefined {
  const written = Object.entries(headers).find(([name]) => isName('host')(name))?.[1];
  return written === undefined || written === '' ? undefined : String(written);
}

function isName(wanted: string): (name: string) => boolean {
  return (name) => name.toLowerCase() === wanted;
}

function accepts(header: string, compression: string): boolean {
  return header.split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    return (name === compression || name === '*') && !isRefused;
  });
}

/** The exporter counts the redirect that it does not follow, too. */
function countUnfollowed(fields: Fields): Fields {
  const { status, redirects } = fields;
  return REDIRECTS.has(status) ? { ...fields, redirects: Number(redirects ?? 0) + 1 } : fields;
}

function checksOf(given: HttpOptions): readonly Check[] {
  const statuses = given.valid_status_codes;
  const status = statuses.length > 0 ? `status in [${statuses.join(', ')}]` : 'status >= 200 && status < 300';
  const versions = spoken(given.valid_http_versions);
  const other = (option: keyof HttpOptions, source: string): Check => ({ source, cause: 'other', option: [option] });
  return [
    other('valid_status_codes', status),
    ...(['fail_if_header_matches', 'fail_if_header_not_matches'] as const).flatMap((option) =>
      given[option].map((match, index) => headerCheck(match, signOf(option), [option, index, 'regexp'])),
    ),
    ...(['fail_if_body_matches_regexp', 'fail_if_body_not_matches_regexp'] as const).flatMap((option) =>
      given[option].map((source, index) => bodyCheck(source, signOf(option), [option, index])),
    ),
    ...celChecks(given),
    ...(given.body_size_limit > 0 ? [other('body_size_limit', '!body_truncated')] : []),
    ...(versions.length > 0 ? [other('valid_http_versions', `http_version in [${versions.join(', ')}]`)] : []),
    ...(given.fail_if_ssl ? [other('fail_if_ssl', 'tls == null')] : []),
    ...(given.fail_if_not_ssl ? [other('fail_if_not_ssl', 'has(tls.version)')] : []),
  ];
}

/** `fail_if_…_matches` must not match. */
function signOf(option: string): '' | '!' {
  return option.includes('_not_') ? '' : '!';
}

function headerCheck(
  { header, regexp, allow_missing: optional }: HeaderMatch,
  sign: '' | '!',
  option: Check['option'],
): Check {
  const name = quoted(header.toLowerCase());
  const found = `${sign}${matches(`headers[${name}]`, regexp)}`;
  return { source: optional ? `!(${name} in headers) || ${found}` : found, cause: 'regex', option };
}

function bodyCheck(source: string, sign: '' | '!', option: Check['option']): Check {
  return { source: `${sign}${matches('body', source)}`, cause: 'regex', option };
}

/** What cannot be evaluated fails in both: what is missing makes a condition false, however it is phrased. */
function celChecks(given: HttpOptions): readonly Check[] {
  return (['fail_if_body_json_matches_cel', 'fail_if_body_json_not_matches_cel'] as const).flatMap((option) => {
    const written = given[option];
    if (written === undefined) return [];
    const source = signOf(option) === '!' ? `!(${aboutJson(written)})` : aboutJson(written);
    return [{ source, cause: 'cel' as const, option: [option] }];
  });
}

function spoken(versions: readonly string[]): readonly string[] {
  return versions.flatMap((version) => VERSIONS[version] ?? []);
}

/** `512`, `4KB`, `1MiB`: the exporter's units are all powers of 1024. */
function size() {
  return z.union([z.string(), z.number().int().nonnegative()]).transform((value, context): number => {
    const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)i?B?$/i.exec(String(value));
    const unit = { '': 0, K: 1, M: 2, G: 3 }[match?.[2]?.toUpperCase() ?? ''];
    if (match && unit !== undefined) return Math.floor(Number(match[1]) * 1_024 ** unit);
    context.issues.push({ code: 'custom', input: value, message: 'is not a size; write 64KB, 10MB or 1GB' });
    return z.NEVER;
  });
}
