import { describe, expect, test } from 'vitest';
import { load, problems } from './homes.ts';

const probesOf = async (text: string, environment: Readonly<Record<string, string>> = {}) =>
  (await load({ 'probes/a.yaml': `probes:\n${text}` }, environment)).probes;

const DISKS = `
  - name: disk
    exec: { argv: [df, "{{item}}"] }
    each: [/, /var]
`;

describe('each', () => {
  test('makes one probe of every item, with the item in all that says so', async () => {
    const probes = await probesOf(`
  - name: shop
    title: The shop at {{ item }}
    http: { url: "http://127.0.0.1:{{item}}/health" }
    expect: ['body == "{{item}}"']
    labels: { port: "{{item}}" }
    each: [8081, 8082]
`);
    expect([...probes.keys()]).toEqual(['shop[8081]', 'shop[8082]']);
    expect(probes.get('shop[8082]')).toMatchObject({
      title: 'The shop at 8082',
      target: 'http://127.0.0.1:8082/health',
      labels: { port: '8082' },
      location: { file: 'probes/a.yaml', line: 3, column: 5 },
    });
    expect(probes.get('shop[8082]')?.expect.map(({ source }) => source)).toContain('body == "8082"');
    const [one, other] = [...probes.values()];
    expect(one?.targetRevision).not.toBe(other?.targetRevision);
  });

  test('gives a number where one is wanted', async () => {
    const probes = await probesOf(`
  - name: port
    tcp: { host: 127.0.0.1, port: "{{item}}" }
    each: [22, 80]
`);
    expect(probes.get('port[80]')?.spec).toMatchObject({ port: 80 });
  });

  test('fills an option that is called name', async () => {
    const probes = await probesOf(`
  - name: zone
    dns: { name: "{{item}}", type: A, server: 127.0.0.1 }
    each: [a.example, b.example]
  - name: job
    process: { name: "{{item}}" }
    each: [nginx]
`);
    expect(probes.get('zone[b.example]')?.spec).toMatchObject({ name: 'b.example' });
    expect(probes.get('job[nginx]')?.spec).toMatchObject({ name: 'nginx' });
  });

  test('calls a probe by its name and item unless it has a title', async () => {
    expect((await probesOf(DISKS)).get('disk[/var]')?.title).toBe('disk[/var]');
  });

  test('takes its items from a variable', async () => {
    const text = DISKS.replace('[/, /var]', '"${MOUNTS}"');
    expect([...(await probesOf(text, { MOUNTS: '/, /srv' })).keys()]).toEqual(['disk[/]', 'disk[/srv]']);
    const probes = await probesOf(text);
    expect([...probes.keys()]).toEqual(['disk']);
    expect(probes.get('disk')).toMatchObject({ unset: ['MOUNTS'] });
    expect((await probesOf(DISKS.replace('[/, /var]', '"${MOUNTS:-}"'))).size).toBe(0);
  });

  test('leaves one item unconfigured without the others', async () => {
    const probes = await probesOf(`
  - name: web
    http: { url: "http://127.0.0.1/{{item}}?key=\${KEY}" }
    each: [a, b]
`);
    expect([...probes.values()].map(({ unset }) => unset)).toEqual([['KEY'], ['KEY']]);
  });

  test('does not make a secret of an item', async () => {
    const { secrets } = await load(
      {
        'probes/a.yaml': `probes:
  - name: job
    heartbeat: { key: "\${PREFIX}-{{item}}", period: 1h }
    each: [nightly, weekly]
`,
      },
      { PREFIX: 'long-enough-prefix' },
    );
    expect(secrets).toContain('long-enough-prefix-nightly');
    expect(secrets).not.toContain('nightly');
  });

  test('is referred to as a whole, or by one item', async () => {
    const { probes, routes, settings } = await load({
      'probes/a.yaml': `probes:
  - { name: web, http: { url: "http://127.0.0.1/" }, depends_on: [disk, mail] }
  - { name: mail, http: { url: "http://127.0.0.1/" }, depends_on: ["disk[/]"] }
  - { name: every, group: { probes: [disk, mail], quorum: 2 } }
`,
      'probes/b.yaml': `probes:${DISKS}`,
      'brainstem.yml': `
notifiers: { bus: { webhook: { url: "http://127.0.0.1/" } } }
routes: [{ match: { probe: [disk] }, notify: [bus] }]
healing: { vantage: [disk, "disk[/]"] }
`,
    });
    expect(probes.get('web')?.dependsOn).toEqual(['disk[/]', 'disk[/var]', 'mail']);
    expect(probes.get('mail')?.dependsOn).toEqual(['disk[/]']);
    expect(probes.get('every')?.spec).toMatchObject({ probes: ['disk[/]', 'disk[/var]', 'mail'], quorum: 2 });
    expect(routes[0]?.match.probe).toEqual(['disk[/]', 'disk[/var]']);
    expect(settings.healing.vantage).toEqual(['disk[/]', 'disk[/var]']);
  });

  test('goes side by side with another each', async () => {
    const probes = await probesOf(`
  - name: app
    http: { url: "http://127.0.0.1/{{item}}" }
    depends_on: ["db[{{item}}]"]
    each: [eu, us]
  - name: db
    tcp: { host: 127.0.0.1, port: 5432 }
    title: "{{item}}"
    each: [eu, us]
`);
    expect(probes.get('app[us]')?.dependsOn).toEqual(['db[us]']);
  });

  test('makes a circle where its items stand on what stands on them', async () => {
    const text = `probes:
  - { name: app, http: { url: "http://127.0.0.1/{{item}}" }, depends_on: [db], each: [eu] }
  - { name: db, http: { url: "http://127.0.0.1/" }, depends_on: ["app[eu]"] }
`;
    expect(await problems({ 'probes/a.yaml': text })).toEqual([
      'probes/a.yaml:3:66: "depends_on" goes in a circle: app[eu] → db → app[eu]',
    ]);
  });
});
