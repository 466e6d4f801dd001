/** Prober `dns`: the target is the server, the module says what it is asked. */
import { z } from 'zod';
import { familyOptions, isDefaultTls, patterns, routeSpec, sourceOption, tlsConfig, tlsSpec } from './options.ts';
import { type Check, matches, type Prober, quoted } from './prober.ts';

const SECTIONS = ['answer', 'authority', 'additional'] as const;
const TYPES = ['ANY', 'A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const;

const validation = z
  .strictObject({
    fail_if_matches_regexp: patterns(),
    fail_if_all_match_regexp: patterns(),
    fail_if_not_matches_regexp: patterns(),
    fail_if_none_matches_regexp: patterns(),
  })
  .prefault({});
type Validation = z.output<typeof validation>;

const options = z
  .strictObject({
    query_name: z.string().min(1),
    query_type: z.enum(TYPES).default('ANY'),
    query_class: z
      .string()
      .default('IN')
      .refine((name) => name === 'IN', 'other than IN is not supported by Brainstem'),
    recursion_desired: z.boolean().default(true),
    transport_protocol: z.enum(['udp', 'tcp']).default('udp'),
    dns_over_tls: z.boolean().default(false),
    tls_config: tlsConfig,
    valid_rcodes: z.array(z.string().regex(/^[A-Z0-9]+$/, 'is not a response code such as NOERROR')).default([]),
    validate_answer_rrs: validation,
    validate_authority_rrs: validation,
    validate_additional_rrs: validation,
    ...familyOptions,
    ...sourceOption,
  })
  .refine(({ dns_over_tls: tls, transport_protocol: transport }) => !tls || transport === 'tcp', {
    path: ['dns_over_tls'],
    message: 'needs transport_protocol: tcp',
  });
type DnsOptions = z.output<typeof options>;

export const dns: Prober<DnsOptions> = {
  type: 'dns',
  sample: '127.0.0.1:1',
  options,
  translate: (given, files) => ({
    checks: checksOf(given),
    specFor(target) {
      const tls = given.dns_over_tls ? tlsSpec(given.tls_config, files) : {};
      return {
        spec: {
          name: given.query_name,
          type: given.query_type,
          server: target,
          transport: given.dns_over_tls ? 'tls' : given.transport_protocol,
          recursion: given.recursion_desired,
          ...(!isDefaultTls(tls) && { tls }),
          ...routeSpec(given),
        },
      };
    },
  }),
};

function checksOf(given: DnsOptions): readonly Check[] {
  const rcodes = given.valid_rcodes.length > 0 ? given.valid_rcodes : ['NOERROR'];
  const check = (option: string, source: string): Check => ({ source, cause: 'other', option: [option] });
  return [
    check('valid_rcodes', `rcode in [${rcodes.map(quoted).join(', ')}]`),
    ...SECTIONS.flatMap((section) => {
      const option = `validate_${section}_rrs` as const;
      return conditionsOf(`records.${section}`, given[option]).map((source) => check(option, source));
    }),
  ];
}

/** `fail_if_all_match_regexp` fails, as in the exporter, unless every record matches all of its patterns. */
function conditionsOf(records: string, rules: Validation): readonly string[] {
  const record = (patterns: readonly string[], operator: '&&' | '||') =>
    patterns.map((pattern) => matches('record', pattern)).join(` ${operator} `);
  const { fail_if_not_matches_regexp: each, fail_if_none_matches_regexp: some } = rules;
  const { fail_if_matches_regexp: never, fail_if_all_match_regexp: all } = rules;
  return [
    ...(never.length > 0 ? [`!${records}.exists(record, ${record(never, '||')})`] : []),
    ...(all.length > 0 ? [`${records}.all(record, ${record(all, '&&')})`] : []),
    ...(each.length > 0 ? [`size(${records}) > 0 && ${records}.all(record, ${record(each, '&&')})`] : []),
    ...(some.length > 0 ? [`${records}.exists(record, ${record(some, '||')})`] : []),
  ];
}
