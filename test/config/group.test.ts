/** `group`: a text says where a probe is shown, a mapping makes it a probe of this type. */
import { describe, expect, test } from 'vitest';
import { fileSchemas } from '../../src/config/json-schema.ts';
import type { Probe } from '../../src/model.ts';
import { registries } from '../../src/registries.ts';
import { load } from './homes.ts';

const HTTP = 'http: { url: "http://127.0.0.1/" }';

async function probesOf(text: string, environment: Readonly<Record<string, string>> = {}) {
  const { probes } = await load({ 'probes/shops.yaml': text }, environment);
  return (name: string) => probes.get(name) as Probe;
}

describe('group', () => {
  test('with a mapping names the type, with a text says where a probe is shown', async () => {
    const probe = await probesOf(`
probes:
  - { name: a, ${HTTP}, group: front }
  - { name: b, ${HTTP} }
  - { name: both, group: { probes: [a, b], quorum: 1 } }
`);
    expect(probe('a')).toMatchObject({ type: 'http', group: 'front' });
    expect(probe('b')).toMatchObject({ type: 'http', group: 'shops' });
    expect(probe('both')).toMatchObject({ type: 'group', group: 'shops', spec: { probes: ['a', 'b'], quorum: 1 } });
  });

  test('is shown where the defaults of its file say, unless it says so itself', async () => {
    const probe = await probesOf(`
defaults: { group: front }
probes:
  - { name: a, ${HTTP} }
  - { name: here, group: { probes: [a] } }
  - { name: there, group: { probes: [a], shown_in: fleet } }
`);
    expect(probe('here').group).toBe('front');
    expect(probe('there').group).toBe('fleet');
  });

  test('from a variable is a text', async () => {
    const probe = await probesOf(`probes: [{ name: a, ${HTTP}, group: "\${WHERE}" }]`, { WHERE: '{ probes: [a] }' });
    expect(probe('a')).toMatchObject({ type: 'http', group: '{ probes: [a] }' });
  });

  test('takes its members, its quorum and its place from variables, and waits for one that is not set', async () => {
    const text = `
probes:
  - { name: a, ${HTTP} }
  - { name: all, group: { probes: "\${MEMBERS}", quorum: "\${QUORUM}", shown_in: "\${WHERE:-fleet}" } }
`;
    const probe = await probesOf(text, { MEMBERS: 'a', QUORUM: '1' });
    expect(probe('all')).toMatchObject({ spec: { probes: ['a'], quorum: 1 }, group: 'fleet', unset: [] });
    expect((await probesOf(text, { MEMBERS: 'a' }))('all')).toMatchObject({ type: 'group', unset: ['QUORUM'] });
  });

  test('is one of a kind with each', async () => {
    const probe = await probesOf(`
probes:
  - { name: web, http: { url: "http://127.0.0.1/{{item}}" }, each: [eu, us] }
  - { name: region, group: { probes: ["web[{{item}}]"], shown_in: "{{item}}" }, each: [eu, us] }
`);
    expect(probe('region[us]')).toMatchObject({ type: 'group', group: 'us', spec: { probes: ['web[us]'] } });
  });

  test('is both in the schema for editors, and names the type there only as a mapping', () => {
    const probes = JSON.parse(JSON.stringify(fileSchemas(registries)['probes'])).properties.probes.items;
    const [text, spec] = probes.properties.group.anyOf;
    expect(text).toMatchObject({ type: 'string', maxLength: 100 });
    expect(spec).toMatchObject({ type: 'object', required: ['probes'], additionalProperties: false });
    expect(Object.keys(spec.properties)).toEqual(['probes', 'quorum', 'share', 'shown_in']);
    expect(probes.oneOf).toContainEqual({ required: ['group'], properties: { group: { type: 'object' } } });
    expect(probes.oneOf).toContainEqual({ required: ['http'] });
  });
});
