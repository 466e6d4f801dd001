/** Fields, conditions, probes and observations for the tests of judging. */
import { type ConditionScope, compileCondition } from '../../src/engine/condition.ts';
import type { Bindings, Condition, FieldDeclarations, Fields, Observation, Probe } from '../../src/model.ts';

const location = { file: 'probes/test.yaml', line: 1, column: 1 };

export const FIELDS: FieldDeclarations = {
  status: { type: 'double', summary: 'status code' },
  body: { type: 'string', summary: 'the body' },
  json: { type: 'dyn', summary: 'the body as JSON' },
  headers: { type: 'map', summary: 'by lower-case name' },
  rows: { type: 'list', summary: 'rows of an answer' },
  healthy: { type: 'bool', summary: 'as it says itself' },
  perfdata: { type: 'dyn', summary: 'by label' },
  certificate: {
    summary: 'the leaf',
    type: {
      expires_in_days: { type: 'double', unit: 'days', summary: 'negative when expired' },
      subject: { type: 'string', summary: 'its name' },
      key: { summary: 'its key', type: { bits: { type: 'double', summary: 'its length' } } },
    },
  },
};

export function scope(changed: Partial<ConditionScope> = {}): ConditionScope {
  return { fields: FIELDS, everyMs: 30_000, windows: true, location, ...changed };
}

export function condition(source: string, changed?: Partial<ConditionScope>): Condition {
  return compileCondition(source, scope(changed));
}

export function bindings(fields: Fields = {}): Bindings {
  return { ok: true, reason: 'ok', latency_ms: 12.5, error: null, ...fields };
}

export function observation(changed: Partial<Observation> = {}): Observation {
  return { probe: 'web', startedAt: 0, latencyMs: 12.5, reason: 'ok', fields: {}, ...changed };
}

export function probe(conditions: { readonly expect?: readonly string[]; readonly warn?: readonly string[] }): Probe {
  return {
    name: 'web',
    title: 'Web',
    type: 'http',
    spec: {},
    target: 'http://127.0.0.1/',
    schedule: { kind: 'interval', everyMs: 30_000 },
    timeoutMs: 10_000,
    expect: (conditions.expect ?? []).map((source) => condition(source)),
    warn: (conditions.warn ?? []).map((source) => condition(source)),
    failAfter: 3,
    recoverAfter: 2,
    severity: 'warning',
    dependsOn: [],
    remediate: [],
    pageAfterMs: 0,
    relapseMs: 900_000,
    group: 'test',
    labels: {},
    paused: false,
    exportFields: [],
    unset: [],
    revision: 'r1',
    targetRevision: 't1',
    location,
  };
}
