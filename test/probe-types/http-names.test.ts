import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createHttp } from '../../src/probe-types/http.ts';
import { createResolver, NoAddress } from '../../src/probe-types/resolve.ts';
import { ASKED, answerTo, record, serveDns } from '../estate/hostile-dns.ts';
import { startNameServer, startSilentNameServer } from '../estate/hostile-names.ts';
import { closedPort, deafPort, listen, probe, serveHttp, sleep } from '../estate/hostile-network.ts';

const never = new AbortController().signal;

/** A resolver with name files of its own. */
async function withFiles(hosts: string, resolv: string) {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-names-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const files = { hosts: join(folder, 'hosts'), resolv: join(folder, 'resolv.conf') };
  await writeFile(files.hosts, hosts);
  await writeFile(files.resolv, resolv);
  return { files, resolver: createResolver(files) };
}

const ask = (spec: Record<string, unknown>, options = {}, resolver = createResolver()) => {
  const http = createHttp(resolver);
  return probe(http, http.spec.parse(spec) as never, options);
};

describe('hosts file', () => {
  test('answers before any server, in both families, and is read again when it changes', async () => {
    const hosts = '127.0.0.5 shop.test Alias.test # comment\n::1 shop.test\n127.0.0.6 shop.test\nnonsense\n';
    const { files, resolver } = await withFiles(hosts, 'nameserver 127.0.0.1\n');
    expect(await resolver.resolve('SHOP.test', 4, undefined, never)).toEqual(['127.0.0.5', '127.0.0.6']);
    expect(await resolver.resolve('shop.test.', 6, undefined, never)).toEqual(['::1']);
    await expect(resolver.resolve('alias.test', 6, undefined, never)).rejects.toBeInstanceOf(NoAddress);
    await writeFile(files.hosts, '127.0.0.7 shop.test\n');
    await utimes(files.hosts, new Date(), new Date(Date.now() + 5_000));
    expect(await resolver.resolve('shop.test', 4, undefined, never)).toEqual(['127.0.0.7']);
  });

  test('localhost is loopback, whatever stands anywhere', async () => {
    const { resolver } = await withFiles('10.0.0.1 localhost\n', 'nameserver 127.0.0.1\n');
    expect(await resolver.resolve('localhost', 4, undefined, never)).toEqual(['127.0.0.1']);
    expect(await resolver.resolve('a.LocalHost', 6, undefined, never)).toEqual(['::1']);
  });
});

describe('name servers', () => {
  test('a name is resolved by the server that the definition names, and the phase is measured', async () => {
    const { address } = await startNameServer('--address=/shop.test/127.0.0.1');
    const { port } = await serveHttp((request, response) => response.end(request.headers.host));
    const { reason, fields } = await ask({ url: `http://shop.test:${port}/`, resolver: address });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ body: `shop.test:${port}`, ip: '127.0.0.1' });
    expect((fields['phases'] as { resolve_ms: number }).resolve_ms).toBeGreaterThan(0);
  });

  test('answers are not kept: a server that dies is noticed', async () => {
    const server = await startNameServer('--address=/shop.test/127.0.0.1');
    const { port } = await serveHttp((_request, response) => response.end());
    const spec = { url: `http://shop.test:${port}/`, resolver: server.address };
    const resolver = createResolver();
    expect((await ask(spec, {}, resolver)).reason).toBe('ok');
    await server.stop();
    expect(await ask(spec, { timeoutMs: 1_000 }, resolver)).toMatchObject({ reason: 'dns' });
  });

  test.each([
    ['that does not exist', 'gone.test', /gone\.test does not exist/],
    ['without any address', 'text.test', /text\.test has no address/],
    ['that the server will not answer', 'elsewhere.example', /refused to answer/],
  ])('a name %s is reason dns', async (_name, host, message) => {
    const zone = ['--local=/test/', '--txt-record=text.test,hello'];
    const { address } = await startNameServer(...zone);
    const output = await ask({ url: `http://${host}/`, resolver: address });
    expect(output).toMatchObject({ reason: 'dns', error: expect.stringMatching(message) });
  });

  test('a server that is silent is reason dns at the deadline', async () => {
    const { address, questions } = await startSilentNameServer();
    const startedAt = performance.now();
    const output = await ask({ url: 'http://shop.test/', resolver: address }, { timeoutMs: 300 });
    expect(output).toMatchObject({ reason: 'dns', error: expect.stringContaining('before the deadline') });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(questions()).toBeGreaterThan(0);
  });

  test.each([
    ['a bare name is searched for', 'db', ['127.0.0.8']],
    ['fewer dots than ndots: the search list goes first', 'a.b', ['127.0.0.9']],
    ['as many dots as ndots: the name itself goes first', 'x.y.z', ['127.0.0.10']],
    ['a final dot: no search', 'db.', undefined],
  ])('search list: %s', async (_name, host, addresses) => {
    const records = ['db.corp.test/127.0.0.8', 'a.b.corp.test/127.0.0.9', 'a.b/127.0.0.2', 'x.y.z/127.0.0.10'];
    const { address } = await startNameServer('--local=/#/', ...records.map((record) => `--address=/${record}`));
    const { resolver } = await withFiles('', 'search none.test corp.test.\noptions ndots:2 timeout:1 attempts:1\n');
    const answer = resolver.resolve(host, 4, address, never);
    if (addresses) expect(await answer).toEqual(addresses);
    else await expect(answer).rejects.toThrow('db does not exist');
  });

  test('a slow server stalls neither other names nor the files', async () => {
    const silent = await startSilentNameServer();
    const quick = await startNameServer('--address=/shop.test/127.0.0.1');
    const resolver = createResolver();
    const controllers = Array.from({ length: 100 }, () => new AbortController());
    const slow = controllers.map(({ signal }, index) =>
      resolver.resolve(`slow${index}.test`, 4, silent.address, signal).catch((error: Error) => error.message),
    );
    await sleep(50);
    const startedAt = performance.now();
    for (let round = 0; round < 50; round += 1) {
      expect(await resolver.resolve('shop.test', 4, quick.address, never)).toEqual(['127.0.0.1']);
      await stat('/etc/hosts');
    }
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    for (const controller of controllers) controller.abort();
    for (const message of await Promise.all(slow)) expect(message).toMatch(/before the deadline/);
  });
});

describe('address families', () => {
  const dual = ['--address=/shop.test/127.0.0.1', '--address=/shop.test/::1'];
  const answer = (host: string) => serveHttp((request, response) => response.end(request.socket.localAddress), host);

  test.each([
    ['any', '127.0.0.1', '127.0.0.1'],
    ['any', '::1', '::1'],
    ['prefer_ip6', '127.0.0.1', '127.0.0.1'],
    ['prefer_ip6', '::1', '::1'],
    ['ip4', '127.0.0.1', '127.0.0.1'],
    ['ip6', '::1', '::1'],
  ])('%s reaches a server on %s', async (ip_protocol, host, ip) => {
    const { port } = await answer(host);
    const { address } = await startNameServer(...dual);
    const output = await ask({ url: `http://shop.test:${port}/`, ip_protocol, resolver: address });
    expect(output).toMatchObject({ reason: 'ok', fields: { ip } });
  });

  test.each([
    ['ip4', '::1'],
    ['ip6', '127.0.0.1'],
  ])('%s does not fall back to a server on %s', async (ip_protocol, host) => {
    const { port } = await answer(host);
    const output = await ask({ url: `http://localhost:${port}/`, ip_protocol });
    const tried = ip_protocol === 'ip4' ? '127.0.0.1' : '::1';
    expect(output).toMatchObject({ reason: 'connect_refused', fields: { ip: tried } });
  });

  test('a name with an address in the other family alone is reached', async () => {
    const { port } = await answer('::1');
    const { address } = await startNameServer('--local=/test/', '--host-record=six.test,::1');
    expect(await ask({ url: `http://six.test:${port}/`, resolver: address })).toMatchObject({ fields: { ip: '::1' } });
  });

  test('the next address is tried when one does not answer', async () => {
    const { port } = await answer('127.0.0.1');
    const { address } = await startNameServer('--host-record=two.test,127.0.0.2', '--host-record=two.test,127.0.0.1');
    const output = await ask({ url: `http://two.test:${port}/`, resolver: address, ip_protocol: 'ip4' });
    expect(output).toMatchObject({ reason: 'ok', fields: { ip: '127.0.0.1' } });
  });

  test('an address that swallows packets leaves time for the next', async () => {
    const port = await deafPort();
    const server = createServer((_request, response) => response.end());
    await listen(server, '127.0.0.3', port);
    const { address } = await startNameServer('--host-record=two.test,127.0.0.1', '--host-record=two.test,127.0.0.3');
    const { resolver } = await withFiles('', '');
    for (let round = 0; round < 2; round += 1) {
      const output = await ask({ url: `http://two.test:${port}/`, resolver: address }, { timeoutMs: 1_500 }, resolver);
      expect(output).toMatchObject({ reason: 'ok', fields: { ip: '127.0.0.3' } });
    }
  });

  test('an address that refuses in both families is refused', async () => {
    const output = await ask({ url: `http://localhost:${await closedPort()}/` });
    expect(output).toMatchObject({ reason: 'connect_refused' });
  });

  test.each<[string, (query: Buffer) => readonly Buffer[]]>([
    ['fails', (query) => [answerTo(query, { bits: 0x8182 })]],
    ['is said not to exist', (query) => [answerTo(query, { bits: 0x8183 })]],
    ['is not answered', () => []],
  ])('what the first address said counts when the question for another family %s', async (_name, onOther) => {
    const loopback = record(ASKED, 1, Buffer.from([127, 0, 0, 1]));
    const { server: resolver } = await serveDns((query) =>
      query.readUInt16BE(query.indexOf(0, 12) + 1) === 1 ? [answerTo(query, { answers: [loopback] })] : onOther(query),
    );
    const port = await closedPort();
    const output = await ask({ url: `http://shop.test:${port}/`, resolver }, { timeoutMs: 1_000 });
    expect(output).toMatchObject({ reason: 'connect_refused', fields: { ip: '127.0.0.1' } });
  });

  test('a literal address needs no name server', async () => {
    const { port } = await answer('::1');
    const { resolver } = await withFiles('', '');
    expect(await ask({ url: `http://[::1]:${port}/` }, {}, resolver)).toMatchObject({
      reason: 'ok',
      fields: { ip: '::1' },
    });
  });
});

test('the system files are the default', async () => {
  const hosts = await readFile('/etc/hosts', 'utf8');
  const [address, name] = /^(127\S*)\s+(\S+)/m.exec(hosts)?.slice(1) ?? [];
  expect(await createResolver().resolve(name ?? '', 4, undefined, never)).toContain(address);
});
