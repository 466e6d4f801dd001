/** Prober `tcp`: a connection, with TLS or without, and lines that are expected and sent. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { SpecForTarget } from '../model.ts';
import {
  familyOptions,
  pattern,
  routeSpec,
  sourceOption,
  splitHostPort,
  text,
  tlsConfig,
  tlsSpec,
  unsupported,
} from './options.ts';
import type { FileReader, Prober } from './prober.ts';

const label = z.strictObject({
  name: z.string().min(1),
  value: text().default(''),
});

const step = z
  .strictObject({
    expect: pattern().default(''),
    labels: z.array(label).max(10).default([]).describe('Of probe_expect_info, with groups of "expect"'),
    send: text().default(''),
    starttls: z.boolean().default(false),
    expect_bytes: unsupported('write what is expected as a line'),
  })
  .superRefine(({ expect, send, labels }, context) => {
    if (labels.length > 0 && expect === '') {
      context.addIssue({ code: 'custom', path: ['labels'], message: 'need "expect"' });
    }
    const templates = expect === '' ? [] : [send, ...labels.map(({ value }) => value)];
    const names = templates.flatMap((template) => [...template.matchAll(REFERENCE)].map(nameOf));
    if (names.includes('0')) {
      const message = 'names ${0}, which is not supported by Brainstem; put the whole expression in parentheses: ${1}';
      context.addIssue({ code: 'custom', path: ['expect'], message });
    }
  });
type Step = z.output<typeof step>;

const options = z
  .strictObject({
    query_response: z.array(step).max(15, 'has more than 15 entries').default([]),
    tls: z.boolean().default(false),
    tls_config: tlsConfig,
    ...familyOptions,
    ...sourceOption,
  })
  .superRefine(({ tls, query_response: steps }, context) => {
    const upgrades = steps.filter(({ starttls }) => starttls).length;
    const complain = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (tls && upgrades > 0) complain('tls', 'cannot stand beside "starttls"');
    if (upgrades > 1) complain('query_response', 'may have "starttls" once');
  });
type TcpOptions = z.output<typeof options>;

export const tcp: Prober<TcpOptions> = {
  type: 'tcp',
  sample: '127.0.0.1:1',
  options,
  translate: (given, files) => ({ checks: [], specFor: (target, hostname) => specFor(given, files, target, hostname) }),
};

function specFor(given: TcpOptions, files: FileReader, target: string, hostname: string | undefined): SpecForTarget {
  if (!splitHostPort(target)) return { fault: 'the target is not host:port' };
  const isSecured = given.tls || given.query_response.some(({ starttls }) => starttls);
  return {
    spec: {
      address: target,
      ...(isSecured && { tls: tlsSpec(given.tls_config, files, hostname) }),
      steps: given.query_response.flatMap(stepsOf),
      ...routeSpec(given),
    },
  };
}

/** What is sent ends in a line feed, which the exporter adds. */
function stepsOf({ expect, labels, send, starttls }: Step): readonly Record<string, unknown>[] {
  const fill = (template: string) => (expect === '' ? template : withPlaceholders(template, expect));
  const observed = Object.fromEntries(labels.map(({ name, value }) => [name, fill(value)]));
  return [
    ...(expect === '' ? [] : [{ expect_line: expect }]),
    ...(labels.length === 0 ? [] : [{ observe: observed }]),
    ...(send === '' ? [] : [{ send: `${fill(send)}\n` }]),
    ...(starttls ? [{ starttls: true }] : []),
  ];
}

/** `$1`, `${name}`, and `$$` for a dollar, as Go's `Expand` reads them. */
const REFERENCE = /\$(?:\$|(\w+)|\{(\w+)\})/g;

function nameOf([, plain, braced]: readonly (string | undefined)[]): string {
  return plain ?? braced ?? '';
}

/** The same template with our placeholders; what names no group of the expression is empty. */
function withPlaceholders(template: string, expression: string): string {
  const compiled = RE2JS.compile(expression);
  const names = new Set([
    ...Array.from({ length: compiled.groupCount() }, (_, index) => `${index + 1}`),
    ...Object.keys(compiled.namedGroups()),
  ]);
  return template.replace(REFERENCE, (whole, plain: string | undefined, braced: string | undefined) => {
    if (whole === '$$') return '$';
    const name = plain ?? braced ?? '';
    return names.has(name) ? `{{${name}}}` : '';
  });
}
