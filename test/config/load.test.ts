import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Condition, Configuration } from '../../src/model.ts';
import { homeWith, load, loadHome, only, writeInto } from './homes.ts';

const WEB = 'probes:\n  - name: web\n    http: { url: "http://127.0.0.1:8080/" }\n';
const FIX = 'remediations:\n  - name: fix\n    exec: { argv: ["/bin/true"] }\n';

const sources = (conditions: readonly Condition[]) => conditions.map(({ source }) => source);

/** A configuration without hashes and functions, so that it can be compared. */
function plain({ probes, remediations, notifiers, ...rest }: Configuration) {
  return {
    ...rest,
    revision: undefined,
    probes: [...probes.values()].map((probe) => ({
      ...probe,
      ...{ revision: undefined, targetRevision: undefined },
      expect: sources(probe.expect),
      warn: sources(probe.warn),
      remediate: probe.remediate.map(({ when, rungs }) => ({ when: when?.source, rungs })),
    })),
    remediations: [...remediations.values()],
    notifiers: [...notifiers.values()],
  };
}

describe('a home', () => {
  test('that is an empty folder works', async () => {
    const { settings, probes, remediations, notifiers, routes, secrets, warnings } = await load({});
    expect([probes.size, remediations.size, notifiers.size, routes, secrets, warnings]).toEqual([0, 0, 0, [], [], []]);
    expect(settings.http).toEqual({ host: '127.0.0.1', port: 9911, publicUrl: 'http://127.0.0.1:9911' });
    expect(settings.healing).toEqual({
      mode: 'auto',
      budget: { count: 10, windowMs: 600_000 },
      freezeFile: join(settings.home, 'data/FREEZE'),
      vantage: [],
    });
    expect(settings.history).toEqual({ resultsMs: 604_800_000, maxBytes: 2 ** 31 });
    expect(settings.log).toEqual({ level: 'info' });
    expect(settings.store).toEqual({});
  });

  test.each(['', '# nothing\n', 'http:\nnotifiers:\nroutes:\nlog:\n  level:\n'])(
    'with brainstem.yml %j works',
    async (text) => {
      expect((await load({ 'brainstem.yml': text })).settings.http.port).toBe(9911);
    },
  );

  test.each(['', 'probes:\n', 'probes: []\n', 'defaults:\nprobes:\n'])('with the probe file %j works', async (text) => {
    expect((await load({ 'probes/a.yaml': text })).probes.size).toBe(0);
  });

  test('with every option used loads to exactly this', async () => {
    const configuration = await load(
      {
        'brainstem.yml': [
          `http: { listen: "[::1]:9000", public_url: "https://watch.example/", token: "\${TOKEN}" }`,
          'log: { level: debug }',
          'defaults: { every: 20s, timeout: 4s, fail_after: 4, recover_after: 5 }',
          'notifiers:',
          '  bus: { webhook: { url: "http://127.0.0.1:1/in" }, fallback: other, burst: 7, timeout: 3s }',
          `  other: { webhook: { url: "http://127.0.0.1:2/in", secret: "\${UNSET_SECRET}" } }`,
          'routes:',
          '  - match: { severity: critical, probe: [api], group: shop, source: [probe, self], labels: { team: web } }',
          '    notify: [bus, other]',
          '    repeat: 4h',
          '    continue: true',
          '  - { notify: [bus] }',
          'healing: { mode: observe, budget: 2 in 1m, freeze_file: /run/FREEZE }',
          'history: { results: 2d, max_bytes: 10MB }',
          'cluster: false',
          '',
        ].join('\n'),
        'probes/shop/api.yml': [
          'defaults: { every: 10s, timeout: 30s, labels: { team: web, tier: "1" }, severity: info, group: shop }',
          'probes:',
          '  - name: api',
          '    title: The API',
          '    tcp: { host: "127.0.0.1", port: 8080 }',
          '    expect: [latency_ms < 500]',
          '    warn: [error_rate("5m") < 0.1]',
          '    timeout: 5s',
          '    retry_every: 2s',
          '    fail_after: 1',
          '    recover_after: 3',
          '    severity: critical',
          '    depends_on: [nightly]',
          '    remediate:',
          '      - when: reason == "timeout"',
          '        try: [fix, { name: fix, tries: 3 }]',
          '      - try: [{ name: fix }]',
          '    page_after: 3m',
          '    relapse: 1h',
          '    slo: { objective: 99.9 }',
          '    group: core',
          '    labels: { tier: "2" }',
          '    notify: [bus]',
          '    runbook: docs/api.md',
          '    paused: true',
          '    export: [latency_ms]',
          '  - name: nightly',
          '    tcp: { host: "127.0.0.1", port: 8081 }',
          '    cron: "0 3 * * *"',
          '    timezone: Europe/Berlin',
          '',
        ].join('\n'),
        'remediations/fix.yaml': [
          'remediations:',
          '  - name: fix',
          '    title: Mend it',
          '    exec: { argv: ["/bin/true"] }',
          '    resource: service:api',
          '    timeout: 10s',
          '    settle: 5s',
          '    verify_within: 30s',
          '    cooldown: 1m',
          '    limit: 2 in 1d',
          '    mode: approve',
          '    idempotent: true',
          '    evidence: [{ docker: { logs: web, tail: 5 } }]',
          '    rollback: null',
          '',
        ].join('\n'),
      },
      { TOKEN: ['token', 'value'].join('-') },
    );
    const at = (file: string, line: number, column: number) => ({ file, line, column });
    expect(plain(configuration)).toMatchObject({
      settings: {
        http: { host: '::1', port: 9000, publicUrl: 'https://watch.example', token: 'token-value' },
        log: { level: 'debug' },
        healing: { mode: 'observe', budget: { count: 2, windowMs: 60_000 }, freezeFile: '/run/FREEZE' },
        history: { resultsMs: 172_800_000, maxBytes: 10_000_000 },
      },
      routes: [
        {
          match: {
            severity: ['critical'],
            probe: ['api'],
            group: ['shop'],
            source: ['probe', 'self'],
            labels: { team: 'web' },
          },
          notify: ['bus', 'other'],
          repeatMs: 14_400_000,
          continue: true,
        },
        { match: {}, notify: ['bus'], continue: false },
      ],
      secrets: ['http://127.0.0.1:1/in', 'http://127.0.0.1:2/in', 'token-value'],
      warnings: [],
    });
    expect(plain(configuration).notifiers).toEqual([
      {
        name: 'bus',
        type: 'webhook',
        spec: expect.objectContaining({ url: 'http://127.0.0.1:1/in' }),
        fallback: 'other',
        burst: 7,
        timeoutMs: 3_000,
        unset: [],
        location: at('brainstem.yml', 5, 3),
      },
      expect.objectContaining({ name: 'other', spec: undefined, unset: ['UNSET_SECRET'], burst: 5, timeoutMs: 10_000 }),
    ]);
    expect(plain(configuration).probes).toEqual([
      {
        name: 'api',
        title: 'The API',
        type: 'tcp',
        spec: expect.objectContaining({ host: '127.0.0.1', port: 8080 }),
        target: '127.0.0.1:8080',
        schedule: { kind: 'interval', everyMs: 10_000 },
        timeoutMs: 5_000,
        retryEveryMs: 2_000,
        expect: ['latency_ms < 500'],
        warn: ['error_rate("5m") < 0.1'],
        failAfter: 1,
        recoverAfter: 3,
        severity: 'critical',
        dependsOn: ['nightly'],
        remediate: [
          {
            when: 'reason == "timeout"',
            rungs: [
              { remediation: 'fix', tries: 1 },
              { remediation: 'fix', tries: 3 },
            ],
          },
          { when: undefined, rungs: [{ remediation: 'fix', tries: 1 }] },
        ],
        pageAfterMs: 180_000,
        relapseMs: 3_600_000,
        slo: { objectivePercent: 99.9, windowMs: 30 * 86_400_000 },
        group: 'core',
        labels: { team: 'web', tier: '2' },
        notify: ['bus'],
        runbook: 'docs/api.md',
        paused: true,
        exportFields: ['latency_ms'],
        unset: [],
        location: at('probes/shop/api.yml', 3, 5),
      },
      {
        name: 'nightly',
        title: 'nightly',
        type: 'tcp',
        spec: expect.objectContaining({ port: 8081 }),
        target: '127.0.0.1:8081',
        schedule: { kind: 'cron', expression: '0 3 * * *', timezone: 'Europe/Berlin' },
        timeoutMs: 30_000,
        expect: [],
        warn: [],
        failAfter: 4,
        recoverAfter: 5,
        severity: 'info',
        dependsOn: [],
        remediate: [],
        pageAfterMs: 0,
        relapseMs: 900_000,
        group: 'shop',
        labels: { team: 'web', tier: '1' },
        paused: false,
        exportFields: [],
        unset: [],
        location: at('probes/shop/api.yml', 27, 5),
      },
    ]);
    expect(plain(configuration).remediations).toEqual([
      {
        name: 'fix',
        title: 'Mend it',
        type: 'exec',
        spec: expect.objectContaining({ argv: ['/bin/true'] }),
        resource: 'service:api',
        timeoutMs: 10_000,
        settleMs: 5_000,
        verifyWithinMs: 30_000,
        cooldownMs: 60_000,
        limit: { count: 2, windowMs: 86_400_000 },
        mode: 'approve',
        idempotent: true,
        evidence: [{ type: 'docker', spec: expect.objectContaining({ logs: 'web', tail: 5 }) }],
        unset: [],
        location: at('remediations/fix.yaml', 2, 5),
      },
    ]);
  });

  test('reads its files in one order, passing over hidden ones and what editors leave behind', async () => {
    const probe = (name: string) => WEB.replace('web', name);
    const { probes } = await load({
      'probes/b.yaml': probe('b'),
      'probes/a/z.yml': probe('az'),
      'probes/a.yaml': probe('a'),
      'probes/.hidden.yaml': 'broken: [',
      'probes/b.yaml~': 'broken: [',
      'probes/#b.yaml#': 'broken: [',
      'probes/.#b.yaml': 'broken: [',
      'probes/notes.txt': 'broken: [',
    });
    expect([...probes.keys()]).toEqual(['az', 'a', 'b']);
  });

  test('warns of what is hardly meant', async () => {
    const { warnings } = await load({
      'brainstem.yml': [
        `notifiers: { bus: { webhook: { url: "\${NOWHERE}" } } }`,
        'routes: [{ match: { group: [shpo] }, notify: [bus] }]',
        '',
      ].join('\n'),
      'probes/shop.yaml': WEB,
      'probes/custom.ts': 'export {};',
    });
    expect(
      warnings.map(({ location, message }) => `${location.file}:${location.line}:${location.column} ${message}`),
    ).toEqual([
      'brainstem.yml:2:10 no notifier of this route is configured: bus',
      'brainstem.yml:2:29 no probe is in the group "shpo"',
      'probes/custom.ts:1:1 defines no probe, and no module imports it; a probe is export default defineProbe({ … })',
    ]);
  });
});

test('the URL of the store is a secret as a whole, its password too, and the name of its user alone is none', async () => {
  const withPassword = ['postgres://somebody', 'pass%21word@db.example/brainstem'].join(':');
  const { settings, secrets } = await load(
    { 'brainstem.yml': `store: { url: "\${DATABASE_URL:-}" }` },
    { DATABASE_URL: withPassword },
  );
  expect(settings.store).toEqual({ url: withPassword });
  expect(secrets).toEqual(['pass%21word', 'pass!word', withPassword].sort());
  const named = await load({ 'brainstem.yml': 'store: { url: "postgres://postgres@localhost/brainstem" }' });
  expect(named.secrets).toEqual(['postgres://postgres@localhost/brainstem']);
  expect((await load({ 'brainstem.yml': `store: { url: "\${DATABASE_URL:-}" }` })).settings.store).toEqual({});
});

describe('warns of healing the PostgreSQL that holds the own store', () => {
  const remediation = (name: string, spec: string) =>
    `  - { name: ${name}, ${spec}, timeout: 10s, verify_within: 1m, cooldown: 1m, limit: 3 in 1h }`;
  const tcp = (name: string, host: string, port: number, more = '') =>
    `  - { name: ${name}, tcp: { host: "${host}", port: ${port} }${more} }`;

  async function warningsWith(store: string): Promise<string[]> {
    const { warnings } = await load({
      'brainstem.yml': `store: { url: "${store}" }`,
      'probes/databases.yaml': [
        'probes:',
        tcp('healed', 'localhost', 5432, ', remediate: [{ try: [log] }]'),
        tcp('watched', '127.0.0.1', 5432),
        tcp('other', 'localhost', 6379, ', remediate: [{ try: [log] }]'),
        '',
      ].join('\n'),
      'remediations/databases.yaml': [
        'remediations:',
        remediation('restart', 'docker: { restart: postgres }'),
        remediation('log', 'docker: { logs: postgres }'),
        remediation('script', 'exec: { argv: [/bin/true, "postgres://root@POSTGRES/other"] }'),
        remediation('restart-other', 'docker: { restart: localhost }'),
        '',
      ].join('\n'),
    });
    return warnings.map(({ location, message }) => `${location.file}:${location.line} ${message}`);
  }

  test('by the host and port of a probe that has fixes', async () => {
    expect(await warningsWith('postgres://[::1]/brainstem')).toEqual([
      "probes/databases.yaml:2 the PostgreSQL at localhost:5432 holds Brainstem's own store: it is watched, but it cannot be healed from here",
    ]);
    expect(await warningsWith('postgres://127.0.0.1:5433/brainstem')).toEqual([]);
  });

  test('by the container or URL of a fix that acts', async () => {
    const places = (await warningsWith('postgresql://user@postgres:5432/brainstem')).map((text) => text.split(' ')[0]);
    expect(places).toEqual(['remediations/databases.yaml:2', 'remediations/databases.yaml:4']);
  });
});

describe('defaults', () => {
  test('of a probe are those of the design', async () => {
    const probe = only((await load({ 'probes/apps.yaml': WEB })).probes);
    expect(probe).toMatchObject({
      title: 'web',
      schedule: { kind: 'interval', everyMs: 30_000 },
      timeoutMs: 10_000,
      failAfter: 3,
      recoverAfter: 2,
      severity: 'warning',
      pageAfterMs: 0,
      relapseMs: 900_000,
      group: 'apps',
      paused: false,
    });
    expect(probe).not.toHaveProperty('notify');
    expect(probe).not.toHaveProperty('retryEveryMs');
  });

  test('of a remediation are those of the design', async () => {
    expect(only((await load({ 'remediations/fix.yaml': FIX })).remediations)).toMatchObject({
      timeoutMs: 60_000,
      settleMs: 0,
      verifyWithinMs: 120_000,
      cooldownMs: 300_000,
      limit: { count: 3, windowMs: 3_600_000 },
      mode: 'auto',
      idempotent: false,
      evidence: [],
    });
  });

  test('for the timeout give way to a shorter interval', async () => {
    const probe = only((await load({ 'probes/a.yaml': `${WEB}    every: 2s\n` })).probes);
    expect(probe.timeoutMs).toBe(2_000);
  });

  test('of a file lose against a cron expression of the probe', async () => {
    const probe = only(
      (await load({ 'probes/a.yaml': `defaults: { every: 1m }\n${WEB}    cron: "0 3 * * *"\n` })).probes,
    );
    expect(probe.schedule).toEqual({ kind: 'cron', expression: '0 3 * * *' });
  });

  test('of a heartbeat are thresholds of one', async () => {
    const text = 'probes:\n  - name: job\n    heartbeat: { key: "0123456789-abc", period: 1d }\n';
    expect(only((await load({ 'probes/a.yaml': text })).probes)).toMatchObject({ failAfter: 1, recoverAfter: 1 });
  });
});

describe('the implied condition of http', () => {
  const IMPLIED = 'status >= 200 && status < 300';
  const expectOf = async (conditions: string) =>
    sources(only((await load({ 'probes/a.yaml': `${WEB}    expect: ${conditions}\n` })).probes).expect);

  test('comes first when no condition names the status', async () => {
    expect(await expectOf('[latency_ms < 5]')).toEqual([IMPLIED, 'latency_ms < 5']);
  });

  test('gives way to a condition that names it', async () => {
    expect(await expectOf('[latency_ms < 5 && status == 401]')).toEqual(['latency_ms < 5 && status == 401']);
  });
});

describe('a revision', () => {
  const revisions = async (text: string) => {
    const { revision, targetRevision } = only((await load({ 'probes/a.yaml': text })).probes);
    return { revision, targetRevision };
  };

  test('stays when a file is only laid out differently', async () => {
    const moved = '# a comment\n\nprobes:\n  - http:\n      url: http://127.0.0.1:8080/\n    name: web\n';
    expect(await revisions(moved)).toEqual(await revisions(WEB));
  });

  test('of the target changes with the target alone', async () => {
    const before = await revisions(WEB);
    const threshold = await revisions(`${WEB}    fail_after: 7\n`);
    const target = await revisions(WEB.replace('8080', '8081'));
    expect(threshold.revision).not.toBe(before.revision);
    expect(threshold.targetRevision).toBe(before.targetRevision);
    expect(target.targetRevision).not.toBe(before.targetRevision);
  });

  test('of the configuration changes with any of its parts', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB });
    const first = await loadHome(home);
    expect((await loadHome(home)).revision).toBe(first.revision);
    await writeInto(home, { 'remediations/fix.yaml': FIX });
    const second = await loadHome(home);
    await writeInto(home, { 'brainstem.yml': 'log: { level: debug }\n' });
    const third = await loadHome(home);
    expect(new Set([first, second, third].map(({ revision }) => revision)).size).toBe(3);
  });
});
