/** `brainstem notify --test` against every kind of channel, each a real server on loopback. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { type MailServer, startMailServer } from '../estate/mail-server.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { runCommand } from './program.ts';

const LOGIN = { user: 'alerts', pass: ['mail', 'password'].join('-') };
const TOKEN = ['xoxb', 'notify', 'token'].join('-');

let home: string;
let slack: FakeSlack;
let receiver: Receiver;
let mail: MailServer;

const BRAINSTEM_YML = `
http: { public_url: "https://brainstem.example.com" }
notifiers:
  oncall-slack: { slack: { token: "\${SLACK_BOT_TOKEN}", channel: ops, api_url: "\${SLACK_API_URL}" } }
  oncall-email: { email: { smtp: "\${SMTP_URL}", from: a@example.com, to: [b@example.com, c@example.com] }, timeout: 20s }
  bus: { webhook: { url: "\${ALERT_WEBHOOK_URL}" } }
`;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'brainstem-notify-'));
  await writeFile(join(home, 'brainstem.yml'), BRAINSTEM_YML);
  slack = await startFakeSlack({ token: TOKEN });
  receiver = await startReceiver();
  mail = await startMailServer({ login: LOGIN });
});

afterEach(async () => {
  await slack.close();
  await receiver.close();
  await mail.close();
  await rm(home, { recursive: true });
});

function notify(name: string, more: readonly string[] = [], environment: Record<string, string> = {}) {
  return runCommand(['notify', '--test', name, ...more, '--home', home], {
    SLACK_BOT_TOKEN: TOKEN,
    SLACK_API_URL: slack.url,
    SMTP_URL: `smtp://${LOGIN.user}:${LOGIN.pass}@127.0.0.1:${mail.port}`,
    ALERT_WEBHOOK_URL: receiver.url,
    ...environment,
  });
}

describe('notify --test', () => {
  it.each(['oncall-slack', 'oncall-email', 'bus'])('sends one message through %s', async (name) => {
    const { exit, out, err } = await notify(name);
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect(out).toMatch(new RegExp(`^${name} \\(\\w+\\) accepted the test message in \\S+\\n$`));
    const heard = [
      ...slack.messages().map((message) => message.arguments.text),
      ...receiver.deliveries().map(({ body }) => body.text),
      ...mail.mails().map(({ parsed }) => parsed.text),
    ];
    expect(heard).toEqual([expect.stringContaining(`This is a test: what ${name} has to say arrives here.`)]);
  });

  it('tells the outcome as JSON', async () => {
    const { exit, out } = await notify('oncall-email', ['--json']);
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toEqual({
      notifier: 'oncall-email',
      type: 'email',
      accepted: true,
      duration_ms: expect.any(Number),
      error: null,
    });
  });

  it('exits 1 and says why when a channel refuses, without its secrets', async () => {
    const wrong = ['wrong', 'password'].join('-');
    const environment = { SMTP_URL: `smtp://${LOGIN.user}:${wrong}@127.0.0.1:${mail.port}` };
    const { exit, out, err } = await notify('oncall-email', [], environment);
    expect(exit).toBe(1);
    expect(out).toMatch(
      /^oncall-email \(email\) did not accept the test message: AUTH .*535.*; trying again would not help\n$/,
    );
    expect(out + err).not.toContain(wrong);
    const asJson = await notify('oncall-email', ['--json'], environment);
    expect(JSON.parse(asJson.out)).toMatchObject({
      accepted: false,
      retry: false,
      error: expect.stringContaining('535'),
    });
  });

  it('shows no secret of the home, whoever says it', async () => {
    mail.fail({ at: 'DATA', code: 554, text: `see ${receiver.url}` });
    const { out } = await notify('oncall-email');
    expect(out).toContain('554 see [redacted]');
  });

  it('says when trying again may help', async () => {
    receiver.fail({ kind: 'status', status: 503 });
    expect(await notify('bus')).toMatchObject({
      exit: 1,
      out: expect.stringContaining('HTTP 503; an alert would be tried again'),
    });
  });

  it('names a recipient that was refused beside others', async () => {
    mail.fail({ at: 'RCPT', code: 550, to: 'b@', text: '5.1.1 no such user' });
    const { exit, err } = await notify('oncall-email');
    expect(exit).toBe(0);
    expect(err).toMatch(/^email recipients refused: .*b@example\.com: 550 5\.1\.1 no such user/);
  });

  it('ends at the timeout of the notifier', async () => {
    receiver.fail({ kind: 'hang' });
    await writeFile(
      join(home, 'brainstem.yml'),
      BRAINSTEM_YML.replace('WEBHOOK_URL}" } }', 'WEBHOOK_URL}" }, timeout: 300ms }'),
    );
    expect(await notify('bus')).toMatchObject({ exit: 1, out: expect.stringContaining('no answer within 300 ms') });
  });

  it('names the variables that an unconfigured one waits for', async () => {
    expect(await notify('bus', [], { ALERT_WEBHOOK_URL: '' })).toEqual({
      exit: 3,
      out: '',
      err: 'bus is unconfigured: ALERT_WEBHOOK_URL is not set; write it into .env of the home, or into the environment\n',
    });
    expect((await notify('oncall-slack', [], { SLACK_BOT_TOKEN: '', SLACK_API_URL: '' })).err).toBe(
      'oncall-slack is unconfigured: SLACK_API_URL and SLACK_BOT_TOKEN are not set; write them into .env of the home, ' +
        'or into the environment\n',
    );
  });

  it('knows the nearest name of an unknown one, or lists all', async () => {
    expect(await notify('oncall-emial')).toMatchObject({
      exit: 2,
      err: expect.stringContaining('did you mean "oncall-email"?'),
    });
    expect(await notify('pager')).toMatchObject({
      exit: 2,
      err: expect.stringContaining('there are: oncall-slack, oncall-email, bus'),
    });
  });

  it('is wrong usage with a home that does not load, or without a name', async () => {
    await writeFile(join(home, 'brainstem.yml'), 'notifiers: 1\n');
    expect(await notify('bus')).toMatchObject({ exit: 2, err: expect.stringContaining('brainstem.yml:1:12') });
    expect(await runCommand(['notify'])).toMatchObject({ exit: 2 });
  });
});
