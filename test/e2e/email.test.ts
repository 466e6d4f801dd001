/** The daemon tells by e-mail, from the opening of an incident to its end, through a real mail server. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type MailServer, type ReceivedMail, startMailServer } from '../estate/mail-server.ts';
import { brainstem } from '../estate/program.ts';
import { type Scene, setScene, untilState } from '../estate/scene.ts';

const LOGIN = { user: 'alerts', pass: randomBytes(12).toString('hex') };

let mail: MailServer;
let scene: Scene;
let daemon: Daemon;
let environment: Record<string, string>;

beforeEach(async () => {
  mail = await startMailServer({ login: LOGIN });
  environment = {
    SMTP_URL: `smtp://${LOGIN.user}:${LOGIN.pass}@127.0.0.1:${mail.port}`,
    ALERT_FROM: 'Brainstem <brainstem@example.com>',
    ALERT_TO: 'ana@example.com, Ben <ben@example.com>',
  };
  scene = await setScene((targets) => ({
    'brainstem.yml': `  mail:
    email: { smtp: "\${SMTP_URL}", from: "\${ALERT_FROM}", to: ["\${ALERT_TO}"] }
    timeout: 20s
    fallback: bus
routes: [{ notify: [mail] }]
`,
    'probes/all.yaml': probesFile(
      probe(targets, 'shop', ['title: The Shop', 'severity: critical', 'remediate: [{ try: [mend-shop] }]']),
    ),
    'remediations/all.yaml': remediationsFile(fix(targets, 'mend-shop', 'shop', 'mends')),
  }));
});

afterEach(async () => {
  await scene.close();
  await mail.close();
});

const kindOf = ({ parsed }: ReceivedMail) => parsed.headers.get('x-brainstem-kind');
/** A machine that stands still is told of as well. */
const shopMails = () => mail.mails().filter(({ parsed }) => parsed.subject?.includes('The Shop'));

it('in one thread, to everybody, from opened to resolved', async () => {
  daemon = await scene.start({ environment });
  await untilState(daemon, 'shop', 'up');
  scene.targets.set('shop', 'broken');
  const resolved = await until(() => shopMails().find((each) => kindOf(each) === 'resolved'), {
    withinMs: 40_000,
    what: 'the resolved mail',
  });
  const [opened = expect.fail('no mail'), ...rest] = shopMails();
  expect(kindOf(opened)).toBe('opened');
  expect(opened).toMatchObject({ recipients: ['ana@example.com', 'ben@example.com'], user: LOGIN.user });
  expect(opened.parsed.subject).toMatch(/^The Shop \(incident \d+\)$/);
  expect(opened.parsed.text).toContain('The Shop is down: status');
  for (const { parsed } of rest) {
    expect(parsed.subject).toBe(`Re: ${opened.parsed.subject}`);
    expect(parsed.references).toBe(opened.parsed.messageId);
  }
  expect(resolved.parsed.text).toMatch(/The Shop is up again after \S+, healed by mend-shop/);
  expect(resolved.parsed.html).toContain(
    `href="${daemon.url}/incidents/${resolved.parsed.headers.get('x-brainstem-incident')}"`,
  );
  expect(await daemon.stop()).toBe(0);
});

it('not while the server refuses the login: the fallback hears at once, and the password stays unsaid', async () => {
  mail.fail({
    at: 'AUTH',
    code: 535,
    text: `5.7.8 wrong: ${LOGIN.pass} ${Buffer.from(LOGIN.pass).toString('base64')}`,
  });
  daemon = await scene.start({ environment });
  await untilState(daemon, 'shop', 'up');
  scene.targets.set('shop', 'broken');
  const [heard] = await until(() => scene.alerts.of('shop').length > 0 && scene.alerts.of('shop'), {
    what: 'the fallback to hear',
  });
  expect(heard?.kind).toBe('opened');
  const story = await (await daemon.fetch(`/incidents/${heard?.incident?.id}`)).text();
  const said = JSON.stringify(daemon.log) + daemon.output() + story;
  expect(said).toContain('535 5.7.8 wrong');
  expect(said).not.toContain(LOGIN.pass);
  expect(said).not.toContain(Buffer.from(LOGIN.pass).toString('base64').slice(0, 20));
  expect(mail.mails()).toEqual([]);
  mail.fail();
  // The daemon looks again in five minutes; a person who mended it need not wait to see that it works.
  const told = await brainstem(['notify', '--test', 'mail', '--home', scene.home.path], {
    ...environment,
    LISTEN: '127.0.0.1:0',
    BUS_URL: 'http://127.0.0.1:9/',
  });
  expect(told).toMatchObject({ code: 0, out: expect.stringContaining('mail (email) accepted the test message') });
  expect(mail.mails().map(kindOf)).toContain('test');
});
