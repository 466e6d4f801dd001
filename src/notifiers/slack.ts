/**
 * Slack, through its Web API: one message an incident, updated as it changes, with what happened as replies in its
 * thread. Reminders and escalations are replies that the whole channel sees.
 *
 * The token needs the scope `chat:write` (and `chat:write.public` for channels that the app is not in).
 * A wrong token or channel answers `retry: false`: only a person can mend it, so the outbox tries again slowly and
 * tells the fallback at once.
 * @see https://docs.slack.dev/reference/methods/chat.postMessage
 */
import { z } from 'zod';
import type { Alert, AlertKind } from '../model.ts';
import type { NotifierOutput, NotifierType } from '../ports.ts';
import { secret } from '../spec.ts';
import { digestMessages, incidentMessage, replyMessage, type SlackMessage } from './slack-blocks.ts';
import { connectSlack, type SlackConnection } from './slack-client.ts';

const spec = z.strictObject({
  token: secret().describe('Bot token of the Slack app, with the scope chat:write'),
  channel: z.string().min(1).describe('Channel id (C0123456789) or #name'),
  api_url: z
    .url({ protocol: /^https?$/ })
    .default('https://slack.com/api/')
    .describe('Base URL of the Web API. Default: https://slack.com/api/'),
});
type Spec = z.output<typeof spec>;

/** What is remembered of an incident: its message. `configured` is the channel as written then. */
const conversationSchema = z.object({ channel: z.string(), ts: z.string(), configured: z.string() });
type Conversation = z.output<typeof conversationSchema>;

/** Answers to an update or a reply that mean: this message cannot be continued, write a new one. */
const GONE = new Set([
  'cant_update_message',
  'channel_not_found',
  'edit_window_closed',
  'is_archived',
  'is_inactive',
  'message_not_found',
  'not_in_channel',
  'thread_not_found',
]);

/** Replies that also show in the channel. */
const BROADCAST: ReadonlySet<AlertKind> = new Set(['reminder', 'escalated']);

export const slack: NotifierType<typeof spec> = {
  name: 'slack',
  summary: 'A Slack channel: one message an incident, updated as it changes, with replies in its thread',
  spec,
  mainOption: 'channel',
  example: `notifiers:
  oncall-slack: { slack: { token: "\${SLACK_BOT_TOKEN}", channel: "\${SLACK_CHANNEL}" } }
`,
  async run(options, { alert, conversation }, context): Promise<NotifierOutput> {
    const connection = await connectSlack(options.token, options.api_url, context);
    try {
      const known = continued(conversation, options);
      return { delivered: true, ...(await tell(connection, options, alert, known)) };
    } catch (thrown) {
      return connection.failureOf(thrown);
    }
  },
};

/** The conversation, unless the notifier has moved to another channel since. */
function continued(conversation: unknown, { channel }: Spec): Conversation | undefined {
  const parsed = conversationSchema.safeParse(conversation);
  return parsed.success && parsed.data.configured === channel ? parsed.data : undefined;
}

async function tell(
  connection: SlackConnection,
  options: Spec,
  alert: Alert,
  known: Conversation | undefined,
): Promise<{ conversation?: Conversation }> {
  if (!alert.incident) {
    await postDigest(connection, options, alert);
    return {};
  }
  if (known && (await carryOn(connection, known, alert))) return { conversation: known };
  return { conversation: await post(connection, options, alert, incidentMessage(alert)) };
}

/** Digests and tests belong to no incident. */
async function postDigest(connection: SlackConnection, options: Spec, alert: Alert): Promise<void> {
  const [first, ...rest] = digestMessages(alert);
  const root = await post(connection, options, alert, first);
  for (const message of rest) await reply(connection, root, alert, message);
}

/**
 * The update comes first because repeating it is harmless; the reply, which would show twice, is the last thing that
 * can fail. False: the message is gone.
 */
async function carryOn(connection: SlackConnection, known: Conversation, alert: Alert): Promise<boolean> {
  try {
    const { channel, ts } = known;
    await connection.client.chat.update({ channel, ts, ...contents(alert, incidentMessage(alert)) });
    await reply(connection, known, alert, replyMessage(alert));
    return true;
  } catch (thrown) {
    if (GONE.has(connection.answerOf(thrown) ?? '')) return false;
    throw thrown;
  }
}

async function post(
  { client }: SlackConnection,
  { channel: configured }: Spec,
  alert: Alert,
  message: SlackMessage,
): Promise<Conversation> {
  const posted = await client.chat.postMessage({
    channel: configured,
    unfurl_links: false,
    unfurl_media: false,
    ...contents(alert, message),
  });
  return { channel: posted.channel ?? configured, ts: posted.ts ?? '', configured };
}

async function reply(
  { client }: SlackConnection,
  { channel, ts }: Conversation,
  alert: Alert,
  message: SlackMessage,
): Promise<void> {
  await client.chat.postMessage({
    channel,
    thread_ts: ts,
    reply_broadcast: BROADCAST.has(alert.kind),
    unfurl_links: false,
    unfurl_media: false,
    ...contents(alert, message),
  });
}

/** `event_id` is the same at every delivery of this alert: whoever reads the channel can tell a duplicate. */
function contents({ eventId, kind, incident }: Alert, { text, blocks }: SlackMessage) {
  return {
    text,
    blocks,
    parse: 'none' as const,
    metadata: {
      event_type: 'brainstem_alert',
      event_payload: { event_id: eventId, kind, ...(incident && { incident_id: incident.id }) },
    },
  };
}
