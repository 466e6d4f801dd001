import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { compileCondition } from '../../src/engine/condition.ts';
import { createDns, dns } from '../../src/probe-types/dns.ts';
import { createResolver } from '../../src/probe-types/resolve.ts';
import { createAuthority } from '../estate/hostile-certificates.ts';
import { ASKED, answerTo, overTcp, record, serveDns } from '../estate/hostile-dns.ts';
import { startNameServer, startUnbound } from '../estate/hostile-names.ts';
import { listen, probe } from '../estate/hostile-network.ts';

const ask = (spec: Record<string, unknown>, options = {}, type = dns) =>
  probe(type, type.spec.parse(spec) as never, options);

describe('dnsmasq', () => {
  test.each<[string, string, string[], string[]]>([
    ['A', 'shop.test', ['--address=/shop.test/127.0.0.9'], ['127.0.0.9']],
    ['AAAA', 'shop.test', ['--address=/shop.test/2001:db8::1:0:0:9'], ['2001:db8::1:0:0:9']],
    ['MX', 'test', ['--mx-host=test,mx.test,10', '--mx-host=test,mx2.test,5'], ['10 mx.test', '5 mx2.test']],
    ['TXT', 'spf.test', ['--txt-record=spf.test,v=spf1 ,-all'], ['v=spf1 -all']],
    ['SRV', '_sip._tcp.test', ['--srv-host=_sip._tcp.test,sip.test,5060,3,7'], ['3 7 5060 sip.test']],
    ['CAA', 'test', ['--caa-record=test,0,issue,letsencrypt.org'], ['0 issue "letsencrypt.org"']],
    ['PTR', '127.0.0.9', ['--ptr-record=9.0.0.127.in-addr.arpa,shop.test'], ['shop.test']],
    [
      'PTR',
      '2001:db8::567:89ab',
      ['--ptr-record=b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa,six.test'],
      ['six.test'],
    ],
    ['A', 'bücher.test', ['--address=/xn--bcher-kva.test/127.0.0.8'], ['127.0.0.8']],
  ])('answers for %s of %s', async (type, name, records, answers) => {
    const { address } = await startNameServer(...records);
    const output = await ask({ name, type, server: address });
    expect(output).toMatchObject({
      reason: 'ok',
      fields: { answers, rcode: 'NOERROR', transport: 'udp', ip: '127.0.0.1', answer_count: answers.length },
    });
    expect(output.fields['flags']).toMatchObject({ rd: true, tc: false });
    expect(output.fields['serial']).toBeUndefined();
  });

  test('follows an alias to what was asked for', async () => {
    const records = [
      '--address=/shop.test/127.0.0.9',
      '--host-record=shop.test,127.0.0.9',
      '--cname=www.test,shop.test',
    ];
    const { address } = await startNameServer(...records);
    expect(await ask({ name: 'WWW.test.', server: address })).toMatchObject({
      fields: { answers: ['127.0.0.9'], aliases: ['shop.test'], answer_count: 2, ttl_s: 1 },
    });
    expect(await ask({ name: 'www.test', type: 'CNAME', server: address })).toMatchObject({
      fields: { answers: ['shop.test'], aliases: [] },
    });
  });

  test('a name that does not exist, one without such records, one that is refused', async () => {
    const { address } = await startNameServer('--local=/test/', '--txt-record=text.test,hello');
    expect(await ask({ name: 'gone.test', server: address })).toMatchObject({
      reason: 'ok',
      fields: { rcode: 'NXDOMAIN', answers: [] },
    });
    expect(await ask({ name: 'text.test', server: address })).toMatchObject({
      reason: 'ok',
      fields: { rcode: 'NOERROR', answers: [], ttl_s: undefined },
    });
    expect(await ask({ name: 'elsewhere.example', server: address })).toMatchObject({
      reason: 'ok',
      fields: { rcode: 'REFUSED', answers: [] },
    });
  });

  test('an answer that is too long for a datagram comes over TCP', async () => {
    const texts = Array.from({ length: 30 }, (_, index) => `${index} ${'x'.repeat(100)}`);
    const { address } = await startNameServer(...texts.map((text) => `--txt-record=long.test,${text}`));
    const { reason, fields } = await ask({ name: 'long.test', type: 'TXT', server: address });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ transport: 'tcp', answers: texts.toSorted(), flags: { tc: false } });
    expect(await ask({ name: 'long.test', type: 'TXT', server: address, transport: 'tcp' })).toMatchObject({
      fields: { transport: 'tcp', answer_count: 30 },
    });
  });

  test('a server that stands still is a timeout at the deadline, and answers when it goes on', async () => {
    const server = await startNameServer('--address=/shop.test/127.0.0.1');
    const spec = { name: 'shop.test', server: server.address };
    server.signal('SIGSTOP');
    for (const transport of ['udp', 'tcp']) {
      const startedAt = performance.now();
      const output = await ask({ ...spec, transport }, { timeoutMs: 500 });
      expect(output).toMatchObject({ reason: 'timeout' });
      expect(performance.now() - startedAt).toBeLessThan(1_500);
    }
    server.signal('SIGCONT');
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { answers: ['127.0.0.1'] } });
  });

  test('its death is noticed over UDP and over TCP', async () => {
    const server = await startNameServer('--address=/shop.test/127.0.0.1');
    await server.stop();
    for (const transport of ['udp', 'tcp']) {
      const output = await ask({ name: 'shop.test', server: server.address, transport });
      expect(output).toMatchObject({ reason: 'connect_refused', error: 'connection refused' });
      expect(output.fields['rcode']).toBeUndefined();
    }
  });
});

describe('unbound', () => {
  test('an authority with a zone: serial, name servers, flags and counts', async () => {
    const { address } = await startUnbound();
    expect(await ask({ name: 'zone.test', type: 'SOA', server: address })).toMatchObject({
      fields: {
        answers: ['ns.zone.test root.zone.test 2026112801 3600 600 86400 60'],
        serial: 2_026_112_801,
        flags: { aa: true, ra: true },
        ttl_s: 60,
      },
    });
    expect(await ask({ name: 'zone.test', type: 'NS', server: address })).toMatchObject({
      fields: { answers: ['ns.zone.test'] },
    });
    expect(await ask({ name: 'gone.zone.test', server: address, recursion: false })).toMatchObject({
      fields: { rcode: 'NXDOMAIN', flags: { rd: false }, authority_count: 1, answer_count: 0, additional_count: 0 },
    });
  });

  test('over TLS, by a server that is trusted', async () => {
    const authority = await createAuthority();
    onTestFinished(() => authority.remove());
    await authority.issue('dot', { names: 'DNS:dns.test,IP:127.0.0.1', days: 30 });
    const { tlsAddress } = await startUnbound(authority.folder, 'dot');
    const spec = { name: 'zone.test', type: 'SOA', server: tlsAddress, transport: 'tls' };
    const trusted = await ask({ ...spec, tls: { ca: authority.cert } });
    expect(trusted).toMatchObject({ reason: 'ok', fields: { transport: 'tls', serial: 2_026_112_801 } });
    expect((trusted.fields['phases'] as { tls_ms: number }).tls_ms).toBeGreaterThan(0);
    expect(await ask(spec)).toMatchObject({ reason: 'tls' });
    const otherName = { ...spec, tls: { ca: authority.cert, server_name: 'other.test' } };
    expect(await ask(otherName)).toMatchObject({ reason: 'tls', error: expect.stringMatching(/not for other\.test/) });
  });
});

describe('the server', () => {
  test('may be given by name', async () => {
    const names = await startNameServer('--address=/dns.test/127.0.0.1');
    const port = names.address.split(':')[1];
    const spec = { name: 'dns.test', server: `dns.test:${port}`, resolver: names.address };
    const output = await ask(spec);
    expect(output).toMatchObject({ reason: 'ok', fields: { answers: ['127.0.0.1'], ip: '127.0.0.1' } });
    expect((output.fields['phases'] as { resolve_ms: number }).resolve_ms).toBeGreaterThan(0);
    expect(await ask({ ...spec, server: 'gone.test' })).toMatchObject({ reason: 'dns' });
  });

  test("is the system's first one by default", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brainstem-dns-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'resolv.conf'), 'nameserver 127.0.0.77\nnameserver 127.0.0.78\n');
    const resolver = createResolver({ hosts: join(folder, 'hosts'), resolv: join(folder, 'resolv.conf') });
    // Nobody listens on port 53 there.
    expect(await ask({ name: 'shop.test' }, { timeoutMs: 2_000 }, createDns(resolver))).toMatchObject({
      reason: 'connect_refused',
      fields: { ip: '127.0.0.77' },
    });
  });

  test('may be reached over IPv6', async () => {
    const reply = overTcp((query) => [answerTo(query, { answers: [record(ASKED, 1, Buffer.from([127, 0, 0, 1]))] })]);
    const { createServer } = await import('node:net');
    const { port } = await listen(createServer(reply), '::1');
    expect(await ask({ name: 'a.test', server: `[::1]:${port}`, transport: 'tcp' })).toMatchObject({
      reason: 'ok',
      fields: { ip: '::1', answers: ['127.0.0.1'] },
    });
  });

  test('that speaks no TLS fails in the handshake', async () => {
    const server = createTlsServer({});
    server.on('tlsClientError', () => {});
    const { port } = await listen(server);
    expect(await ask({ name: 'a.test', server: `127.0.0.1:${port}`, transport: 'tls' })).toMatchObject({
      reason: 'tls',
    });
  });
});

describe('judging', () => {
  const implied = dns.impliedExpect?.source ?? '';
  const judge = async (source: string, spec: Record<string, unknown>) => {
    const { reason, fields } = await ask(spec);
    const location = { file: 'p.yaml', line: 1, column: 1 };
    const condition = compileCondition(source, { fields: dns.fields, everyMs: 30_000, windows: true, location });
    const bindings = { ok: true, reason, latency_ms: 1, error: null, ...fields };
    return condition.evaluate(bindings, { read: () => undefined }).outcome;
  };

  test.each([
    [implied, 'a.test', 'true'],
    [implied, 'gone.test', 'false'],
    [implied, 'text.test', 'false'],
    ['rcode == "NXDOMAIN"', 'gone.test', 'true'],
    ['"127.0.0.9" in answers', 'a.test', 'true'],
    ['answers == ["127.0.0.9"]', 'a.test', 'true'],
    ['answers == ["127.0.0.8"]', 'a.test', 'false'],
    ['flags.ra && ttl_s <= 1', 'a.test', 'true'],
    ['answers.exists(answer, answer.startsWith("v=spf1"))', 'a.test', 'false'],
  ])('%s on %s is %s', async (source, name, outcome) => {
    const { address } = await startNameServer(
      '--address=/a.test/127.0.0.9',
      '--txt-record=text.test,x',
      '--local=/test/',
    );
    expect(await judge(source, { name, server: address })).toBe(outcome);
  });

  test("its series are blackbox_exporter's", async () => {
    const { address } = await startUnbound();
    const { fields } = await ask({ name: 'zone.test', type: 'SOA', server: address });
    const sampled = Object.fromEntries(dns.families.map(({ name, sample }) => [name, sample(fields, {} as never)]));
    expect(sampled).toMatchObject({
      probe_dns_query_succeeded: 1,
      probe_dns_answer_rrs: 1,
      probe_dns_authority_rrs: 0,
      probe_dns_additional_rrs: 0,
      probe_dns_serial: 2_026_112_801,
      probe_ip_protocol: 4,
    });
    const phases = sampled['probe_dns_duration_seconds'] as readonly { labels: { phase: string }; value: number }[];
    expect(phases.map(({ labels }) => labels.phase)).toEqual(['resolve', 'connect', 'request']);
    expect(phases[2]?.value).toBeGreaterThan(0);
    const failed = dns.families.map(({ name, sample }) => [name, sample({}, {} as never)]);
    expect(Object.fromEntries(failed)).toMatchObject({ probe_dns_query_succeeded: 0, probe_dns_answer_rrs: 0 });
  });
});

test('what belongs to another name is no answer', async () => {
  const foreign = record(Buffer.from('\x05other\x04test\0'), 1, Buffer.from([127, 0, 0, 1]));
  const { server } = await serveDns((query) => [answerTo(query, { answers: [foreign] })]);
  expect(await ask({ name: 'a.test', server })).toMatchObject({ fields: { answers: [], answer_count: 1 } });
});

describe('definition', () => {
  test.each([
    [{}, 'name', /./],
    [{ name: 'a..b' }, 'name', /not a DNS name/],
    [{ name: `${'x'.repeat(64)}.test` }, 'name', /not a DNS name/],
    [{ name: 'x.'.repeat(128) }, 'name', /not a DNS name/],
    [{ name: 'a.test', type: 'AXFR' }, 'type', /./],
    [{ name: 'a.test', server: 'dns.test:0' }, 'server', /not a name server/],
    [{ name: 'a.test', server: '[dns.test]:53' }, 'server', /not a name server/],
    [{ name: 'a.test', server: '127.0.0.1:99999' }, 'server', /not a name server/],
  ])('%j is refused', (spec, path, message) => {
    const issues = dns.spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.'))).toContain(path);
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
  });

  test.each([
    [{ name: 'a.test' }, 'a.test'],
    [{ name: 'a.test', server: '::1' }, 'a.test@::1'],
    [{ name: '.', type: 'NS', server: '127.0.0.1:53' }, '.@127.0.0.1:53'],
  ])('the target of %j is %s', (spec, target) => {
    expect(dns.target(dns.spec.parse(spec))).toBe(target);
  });
});
