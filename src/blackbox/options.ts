/** Options that several probers of blackbox.yml share, and what they become in specs of our types. */
import { isIP } from 'node:net';
import { RE2JS } from 're2js';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { secret } from '../spec.ts';
import type { FileReader } from './prober.ts';

/** An option of the exporter that Brainstem does not have. One that is written without effect is let pass. */
export function unsupported(instead: string) {
  return z
    .unknown()
    .refine(isWithoutEffect, `is not supported by Brainstem; ${instead}`)
    .optional()
    .describe(`Not supported: ${instead}`);
}

function isWithoutEffect(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Go takes numbers and booleans for text where text is wanted. */
export function text() {
  return z.union([z.string(), z.number(), z.boolean()]).transform(String);
}

export function pattern() {
  return z.string().superRefine((source, context) => {
    try {
      RE2JS.compile(source);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `is not a regular expression of RE2: ${messageOf(error)}` });
    }
  });
}

export function patterns() {
  return z.array(pattern()).default([]);
}

export function fileName() {
  return z.string().min(1).describe('Relative to the home');
}

export const familyOptions = {
  preferred_ip_protocol: z.enum(['ip4', 'ip6']).default('ip6').describe('Address family that is tried first'),
  ip_protocol_fallback: z.boolean().default(true).describe('Try the other family as well'),
};

export const sourceOption = {
  source_ip_address: z
    .string()
    .refine((address) => isIP(address) > 0, 'is not an address')
    .optional()
    .describe('Address of this machine to connect from'),
};

const FAMILY = { ip4: ['ip4', 'any'], ip6: ['ip6', 'prefer_ip6'] } as const;

/** The options of a route that every network type of ours has. */
export function routeSpec(options: {
  readonly preferred_ip_protocol: 'ip4' | 'ip6';
  readonly ip_protocol_fallback: boolean;
  readonly source_ip_address?: string | undefined;
}) {
  const { preferred_ip_protocol: preferred, ip_protocol_fallback: fallback, source_ip_address: source } = options;
  return {
    ip_protocol: FAMILY[preferred][fallback ? 1 : 0],
    ...(source !== undefined && { source_address: source }),
  };
}

const tlsVersion = () => z.enum(['TLS10', 'TLS11', 'TLS12', 'TLS13']).optional();

export const tlsConfig = z
  .strictObject({
    insecure_skip_verify: z.boolean().default(false),
    ca_file: fileName().optional(),
    cert_file: fileName().optional(),
    key_file: fileName().optional(),
    ca: z.string().min(1).optional().describe('PEM text'),
    cert: z.string().min(1).optional().describe('PEM text'),
    key: secret().optional().describe('PEM text'),
    server_name: z.string().min(1).optional(),
    min_version: tlsVersion(),
    max_version: tlsVersion(),
  })
  .superRefine(({ ca, ca_file, cert, cert_file, key, key_file }, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    for (const [name, both] of Object.entries({ ca: [ca, ca_file], cert: [cert, cert_file], key: [key, key_file] })) {
      if (both.every((one) => one !== undefined)) complain(`has both ${name} and ${name}_file`);
    }
    if ((cert ?? cert_file) !== undefined && (key ?? key_file) === undefined)
      complain('needs a key for its certificate');
    if ((key ?? key_file) !== undefined && (cert ?? cert_file) === undefined)
      complain('needs a certificate for its key');
  })
  .prefault({});
export type TlsConfig = z.output<typeof tlsConfig>;

/** The `tls` options of a spec. */
export function tlsSpec(config: TlsConfig, files: FileReader, serverName?: string): Record<string, unknown> {
  const { ca_file, cert_file, key_file, ca, cert, key, server_name, ...rest } = config;
  const from = (inline: string | undefined, file: string | undefined) =>
    inline ?? (file === undefined ? undefined : files.path(file));
  return definedOnly({
    ...rest,
    ca: from(ca, ca_file),
    cert: from(cert, cert_file),
    key: from(key, key_file),
    server_name: server_name ?? serverName,
  });
}

/** True when a spec can do without `tls`. */
export function isDefaultTls(spec: Record<string, unknown>): boolean {
  return Object.entries(spec).every(([name, value]) => name === 'insecure_skip_verify' && value === false);
}

function definedOnly(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** `host:port`, `[v6]:port`; undefined without a port, or when it is no such thing. */
export function splitHostPort(target: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(target);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined;
}
