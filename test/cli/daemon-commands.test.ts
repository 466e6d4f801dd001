import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fixture, startServer, storeIncident } from '../server/fixture.ts';
import { attempt, emptyWorld, incident, NOW, probe, silence, view } from '../server/world.ts';
import { runCommand } from './program.ts';

const token = ['a', 'test', 'token'].join('-');
let server: Fixture;
let locked: Fixture;
let home: string;

beforeAll(async () => {
  server = await startServer();
  locked = await startServer({ token });
  home = mkdtempSync(join(tmpdir(), 'brainstem-cli-'));
});

afterAll(async () => {
  await server.close();
  await locked.close();
  rmSync(home, { recursive: true });
});

beforeEach(() => {
  Object.assign(server.world, emptyWorld());
  server.commanded.splice(0);
});

const run = (...argv: string[]) => runCommand(argv, { BRAINSTEM_URL: server.url, USER: 'ann' });

describe('status', () => {
  test.each([
    ['up', 0],
    ['paused', 0],
    ['unconfigured', 0],
    ['maintenance', 0],
    ['down', 1],
    ['degraded', 1],
    ['unknown', 1],
  ] as const)('with a probe %s exits %i', async (state, exit) => {
    server.world.probes = [view(probe('web'), { state }), view(probe('other'))];
    expect((await run('status')).exit).toBe(exit);
  });

  test('shows trouble first, with reason, and what holds healing back', async () => {
    server.world.probes = [
      view(probe('a-up')),
      view(probe('web'), {
        state: 'down',
        verdict: 'fail',
        reason: 'timeout',
        summary: 'no answer in 10s',
        since: NOW - 90_000,
      }),
      view(probe('later', { unset: ['LATER_URL'] }), { state: 'unconfigured', ran: false }),
    ];
    server.world.incidents = [incident(4, 'web', { title: 'web is down' })];
    server.world.attempts = [attempt(1, 'restart-web', { state: 'verifying' })];
    server.world.frozen = { at: NOW - 60_000, by: 'bob', why: 'migrating' };
    server.world.disarmed = [{ remediation: 'restart-db', at: NOW, why: 'limit is spent' }];
    server.world.problems = [{ location: { file: 'probes/web.yaml', line: 4, column: 5 }, message: 'unknown key "x"' }];
    const { out } = await run('status');
    expect(out).toMatch(/^1 down, 1 up, 1 unconfigured/);
    expect(out).toMatch(/frozen by bob, 1m ago: migrating[\s\S]*restart-db has disarmed itself: limit is spent/);
    expect(out).toContain('probes/web.yaml:4:5: unknown key "x"');
    expect(out).toMatch(/#4 +critical +web is down +10m +connect ECONNREFUSED/);
    expect(out).toMatch(/restart-web +verifying/);
    expect(out).toMatch(
      /down +web +1m30s +13ms +timeout: no answer in 10s\nup +a-up.*\n\n1 unconfigured, not shown: .*status --all/,
    );
    expect(out).not.toContain('LATER_URL');
    expect((await run('status', '--all')).out).toMatch(/up +a-up.*\nunconfigured +later +set LATER_URL\n$/);
  });

  test('of unconfigured probes alone is one line', async () => {
    server.world.probes = ['a', 'b'].map((name) =>
      view(probe(name, { unset: ['X'] }), { state: 'unconfigured', ran: false }),
    );
    const { exit, out } = await run('status');
    expect(exit).toBe(0);
    expect(out.split('\n').slice(1)).toEqual([
      '',
      '2 unconfigured, not shown: `brainstem status --all` names the variables that are not set',
      '',
    ]);
  });

  test('says in one place what its exit codes mean', async () => {
    const { out } = await run('status', '--help');
    const [, exits = ''] = /Exits: (0 .*? · 1 .*? · 2 .*?)\./.exec(out) ?? [];
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
    expect(readme).toMatch(new RegExp(`^\\| .brainstem status. .*\\| ${exits} +\\|$`, 'm'));
  });

  test('shows silences, and which incidents they keep from people', async () => {
    server.world.incidents = [incident(4, 'web', { acknowledgedBy: 'bob', acknowledgedAt: NOW }), incident(5, 'db')];
    server.world.silences = [silence(2), silence(3, { matchers: ['probe="later"'], startsAt: NOW + 1 })];
    const { out } = await run('status');
    expect(out).toContain('silence 2: probe="web" until 2026-01-15 13:00 UTC by ann: moving house');
    expect(out).toContain('silence 3, to come: probe="later" until');
    expect(out).toMatch(/#4 .* acknowledged by bob, silence 2\n/);
    expect(out.match(/, silence \d/g)).toHaveLength(1);
  });

  test('as JSON is what the API answers', async () => {
    const { out } = await run('status', '--json');
    expect(JSON.parse(out)).toEqual((await server.ask('/api/v1/status')).json());
  });

  test('has no colours unless standard output takes them, and no control characters of others', async () => {
    server.world.probes = [
      view(probe('web'), { state: 'down', verdict: 'fail', reason: 'body', summary: 'a\u001b[2Jb\nc\u009b' }),
    ];
    expect((await run('status')).out).not.toMatch(/\p{Cc}(?<!\n)/u);
    const colored = await runCommand(['status', '--url', server.url], {}, true);
    expect(colored.out).toContain('\u001b[31mdown');
    expect(colored.out).not.toContain('\u001b[2J');
  });
});

describe('which daemon', () => {
  test('nobody there is exit 2, and says what to do', async () => {
    const { exit, err } = await run('status', '--url', 'http://127.0.0.1:1');
    expect([exit, err]).toEqual([
      2,
      'brainstem: no daemon answers at http://127.0.0.1:1; start one with `brainstem run`, or name another with --url\n',
    ]);
  });

  test('something else there is exit 2', async () => {
    const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    try {
      const { port } = other.address() as { port: number };
      const { exit, err } = await run('status', '--url', `http://127.0.0.1:${port}`);
      expect([exit, err]).toEqual([
        2,
        `brainstem: what answers at http://127.0.0.1:${port} is not Brainstem (status 200)\n`,
      ]);
    } finally {
      other.close();
    }
  });

  test('an address that is none is exit 2', async () => {
    expect(await run('status', '--url', 'localhost:9911')).toMatchObject({ exit: 2 });
    expect((await run('status', '--url', 'nonsense')).err).toContain('write http://HOST:PORT');
  });

  test('a token is sent, and asked for when it is missing', async () => {
    const asked = await runCommand(['status'], { BRAINSTEM_URL: locked.url });
    expect([asked.exit, asked.err]).toEqual([
      2,
      `brainstem: the daemon at ${locked.url} wants its token: set BRAINSTEM_TOKEN\n`,
    ]);
    expect((await runCommand(['status'], { BRAINSTEM_URL: locked.url, BRAINSTEM_TOKEN: token })).exit).toBe(0);
    expect(await runCommand(['status'], { BRAINSTEM_URL: locked.url, BRAINSTEM_TOKEN: 'another' })).toMatchObject({
      exit: 2,
      err: `brainstem: the daemon at ${locked.url} has another token than ours: correct BRAINSTEM_TOKEN\n`,
    });
  });

  test('a user of any name may ask', async () => {
    expect((await runCommand(['status'], { BRAINSTEM_URL: server.url, USER: '本\n' })).exit).toBe(0);
  });

  test('without --url the home says where, even when its definitions are broken', async () => {
    writeFileSync(
      join(home, 'brainstem.yml'),
      `http: { listen: "127.0.0.1:${locked.port}", token: "\${TOKEN_OF_HOME}" }\n`,
    );
    const told = await runCommand(['status', '--home', home], { TOKEN_OF_HOME: token });
    expect([told.exit, told.err]).toEqual([0, '']);
  });

  test('a home that does not load is exit 1 with every problem', async () => {
    writeFileSync(join(home, 'brainstem.yml'), 'htpt: {}\n');
    const { exit, err } = await runCommand(['status', '--home', home], {});
    expect([exit, err]).toEqual([1, expect.stringContaining('brainstem.yml:1:1: unknown key "htpt"')]);
  });
});

describe('incidents', () => {
  let id: number;
  beforeAll(async () => {
    id = await storeIncident(server.store, { title: 'web is down' });
    await server.store.addTimeline({ incidentId: id, at: NOW, kind: 'comment', text: 'first\nsecond', actor: 'bob' });
  });

  test('lists open ones by default, and as JSON', async () => {
    expect((await run('incidents')).out).toMatch(new RegExp(`#${id} +open +critical +web is down`));
    expect(JSON.parse((await run('incidents', 'list', '--json')).out)).toMatchObject([{ id, subject: 'web' }]);
    expect((await run('incidents', 'list', '--all', '--limit', '1')).exit).toBe(0);
  });

  test('shows the story of one', async () => {
    const { out, exit } = await run('incidents', 'show', String(id));
    expect(exit).toBe(0);
    expect(out).toMatch(/web is down {2}critical, open[\s\S]*opened[\s\S]*comment by bob {2}first\n {4}second/);
    expect(await run('incidents', 'show', '999')).toMatchObject({
      exit: 1,
      err: 'brainstem: there is no incident 999: `brainstem incidents list --all` shows those that there are\n',
    });
  });

  test('acknowledges, resolves and comments in the name of who asks', async () => {
    expect((await run('incidents', 'ack', `#${id}`)).out).toContain('acknowledged');
    expect(await run('incidents', 'resolve', String(id))).toMatchObject({
      exit: 1,
      err: 'brainstem: it still fails; use --force\n',
    });
    expect((await run('incidents', 'resolve', String(id), '--force')).exit).toBe(0);
    expect((await run('incidents', 'comment', String(id), 'looking', 'at it')).exit).toBe(0);
    expect(server.commanded).toEqual([
      ['acknowledge', id, 'ann'],
      ['resolve', id, 'ann', false],
      ['resolve', id, 'ann', true],
      ['comment', id, 'ann', 'looking at it'],
    ]);
  });

  test.each([['show'], ['ack'], ['resolve', '--force'], ['comment', 'why']])(
    '%s of one that is not there says so, however large its number',
    async (command, ...more) => {
      for (const number of ['999', '999999999999999'])
        expect(await run('incidents', command, number, ...more)).toMatchObject({
          exit: 1,
          err: expect.stringContaining(`there is no incident ${number}: \`brainstem incidents list --all\``),
        });
    },
  );

  test.each(['seven', '0', '7.5', '9'.repeat(20)])(
    'ack %s wants a number, and says where there are some',
    async (number) => {
      expect(await run('incidents', 'ack', number)).toMatchObject({
        exit: 2,
        err: expect.stringContaining('It is the number of an incident, such as 7: `brainstem incidents list --all`'),
      });
      expect(server.commanded).toEqual([]);
    },
  );

  test('what the daemon does not accept is told in the words of the command', async () => {
    expect(await run('incidents', 'comment', String(id), 'x'.repeat(5_000))).toMatchObject({
      ...{ exit: 1, err: 'brainstem: text must have at most 4000 characters\n' },
    });
    expect((await run('incidents', 'comment', String(id), ' ')).err).toBe('brainstem: text must not be empty\n');
  });
});

describe('healing', () => {
  test('remediate exits 0 when it healed, and says so', async () => {
    const { exit, out, err } = await run('remediate', 'restart', '--probe', 'web');
    expect([exit, out, err]).toEqual([0, 'healed in 30s\n', '']);
    expect(server.commanded).toEqual([
      ['remediate', { remediation: 'restart', probe: 'web', by: 'ann', dryRun: false }],
    ]);
  });

  test('remediate exits 1 when the plan refuses, with the named reason and when to try again', async () => {
    const { exit, out } = await run('remediate', 'restart', '--probe', 'web', '--dry-run');
    expect(exit).toBe(1);
    expect(out).toBe(
      'refused: cooldown, too soon; try again after 2026-01-15T12:00:00.000Z\nwould: docker restart web\n',
    );
  });

  test('remediate tells nobody to wait for an answer that is there at once', async () => {
    expect((await run('remediate', 'slow', '--probe', 'web')).err).toBe(
      'slow for web: waiting until the probe has decided …\n',
    );
    expect(await run('remediate', 'none', '--probe', 'web')).toEqual({
      ...{ exit: 1, out: '', err: 'brainstem: there is no "none"\n' },
    });
  });

  test('freeze, unfreeze and arm', async () => {
    expect(await run('freeze', '--why', 'migrating')).toMatchObject({
      exit: 0,
      out: expect.stringContaining('brainstem unfreeze'),
    });
    expect(await run('unfreeze')).toMatchObject({ exit: 0, out: 'healing goes on\n' });
    expect(await runCommand(['unfreeze'], { BRAINSTEM_URL: server.url, USER: 'file' })).toMatchObject({
      exit: 1,
      err: expect.stringContaining('freeze file'),
    });
    expect(await run('arm', 'restart')).toMatchObject({ exit: 0, out: 'restart is armed again\n' });
    expect(await run('arm', 'none')).toMatchObject({ exit: 1 });
    expect(server.commanded[0]).toEqual(['freeze', 'ann', 'migrating']);
  });
});

describe('backup', () => {
  test('replaces no file that is there, unless by force', async () => {
    const file = join(home, 'backup.gz');
    expect(await run('backup', file)).toMatchObject({ exit: 0, err: '' });
    writeFileSync(file, 'precious');
    const refused = await run('backup', file);
    expect(refused).toEqual({
      ...{ exit: 2, out: '', err: `brainstem: ${file} exists already: name another, or add --force to replace it\n` },
    });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    expect(await run('backup', file, '--force')).toMatchObject({ exit: 0 });
    expect(readFileSync(file).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect(await run('backup', home)).toMatchObject({ exit: 2, err: expect.stringContaining('is a folder') });
  });

  test('is looked at before the store that it is to be restored into', async () => {
    const [file, wrong] = [join(home, 'whole.gz'), join(home, 'wrong.gz')];
    const place = mkdtempSync(join(tmpdir(), 'brainstem-restored-'));
    const restore = (...more: string[]) => runCommand(['restore', ...more, '--home', place], {});
    try {
      await storeIncident(server.store, { subject: 'restored' });
      await run('backup', file);
      writeFileSync(wrong, 'hello');
      expect(await restore(file)).toMatchObject({ exit: 0, err: '' });
      expect(await restore(file)).toMatchObject({ exit: 1, err: expect.stringContaining('the store is not empty') });
      expect(await restore(wrong)).toMatchObject({ exit: 2, err: expect.stringContaining('this is no whole backup') });
      expect(await restore(place)).toMatchObject({ exit: 2, err: expect.stringContaining('is no regular file') });
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

describe('silence', () => {
  const add = (...more: string[]) => run('silence', 'add', '--for', '2h', '--comment', 'moving', ...more);

  test('add sends every matcher, and says until when and what it silences now', async () => {
    server.world.incidents = [incident(4, 'web')];
    const { exit, out } = await add('--matcher', 'probe=web', '--matcher', 'team=~a|b', '--author', 'bob');
    expect({ exit, out }).toEqual({
      exit: 0,
      out: 'silence 1: probe=web, team=~a|b until 2026-01-15 14:00 UTC; now: no open incident\n',
    });
    const [, request] = server.commanded[0] ?? [];
    expect(request).toMatchObject({
      matchers: ['probe=web', 'team=~a|b'],
      author: 'bob',
      by: 'ann',
      comment: 'moving',
    });
    expect(JSON.parse((await add('--matcher', 'probe=web', '--json')).out)).toMatchObject({ author: 'ann' });
  });

  test('add wants a matcher, a duration and a comment', async () => {
    expect(await add()).toMatchObject({ exit: 2, err: expect.stringContaining('--matcher') });
    expect(await run('silence', 'add', '--matcher', 'a=b', '--comment', 'c')).toMatchObject({ exit: 2 });
    expect(await run('silence', 'add', '--matcher', 'a=b', '--for', '2h')).toMatchObject({ exit: 2 });
    const soon = await run('silence', 'add', '--matcher', 'a=b', '--for', 'soon', '--comment', 'c');
    expect(soon).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/--for <duration>.* It is a duration, such as 30m/),
    });
    expect(server.commanded).toEqual([]);
  });

  test('list shows what lasts, with --all what is over, and says when there is none', async () => {
    await server.store.insertSilence(silence(0, { comment: 'over', endsAt: NOW - 1 }));
    await server.store.insertSilence(silence(0, { comment: 'a\u001b[31m\nb' }));
    const { out } = await run('silence');
    expect(out).toMatch(/active +probe="web" +2026-01-15 11:59 +2026-01-15 13:00 +ann +a\ufffd\[31m b/);
    expect(out).not.toContain('over');
    expect((await run('silence', 'list', '--all')).out).toMatch(/expired +.* over/);
    expect(JSON.parse((await run('silence', 'list', '--json')).out)).toMatchObject([{ author: 'ann' }, {}, {}]);
  });

  test('expire ends it, or says that there is none', async () => {
    expect(await run('silence', 'expire', '#7')).toMatchObject({
      exit: 0,
      out: expect.stringContaining('silence 7 is over'),
    });
    expect(server.commanded).toEqual([['expireSilence', 7, 'ann']]);
    expect(await run('silence', 'expire', '999')).toMatchObject({
      exit: 1,
      err: expect.stringContaining('no silence 999'),
    });
  });

  test('add doubts a silence that matches nothing now, with the nearest name, and lets it stand', async () => {
    server.world.probes = [view(probe('web', { labels: { team: 'a' } })), view(probe('shop', { group: 'shops' }))];
    const slip = await add('--matcher', 'probe=wbe');
    expect(slip).toMatchObject({ exit: 0, out: expect.stringMatching(/^silence \d+: probe=wbe until /) });
    expect(slip.err).toMatch(
      /^silence (\d+) may be a slip: probe="wbe" matches nothing now \(did you mean "web"\?\); `brainstem silence expire \1` ends it\n$/,
    );
    expect((await add('--matcher', 'probe=web', '--matcher', 'group=shops')).err).toContain(
      'nothing matches all of it now: probe="web", group="shops"',
    );
    expect((await add('--matcher', 'probe=~we.', '--matcher', 'team!=b')).err).toBe('');
  });
});
