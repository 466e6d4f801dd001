/**
 * A Slack that can be run anywhere: a real HTTP server that speaks the Web API methods Brainstem uses (auth.test,
 * chat.postMessage, chat.update; bodies form-encoded or JSON), keeps messages and threads, and appends every
 * accepted call to a journal. Wrong tokens, unknown channels and Slack's limits are answered as Slack does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { applyFault, type ChannelFault, close, createFaultSwitch, listen, readBody } from './faults.ts';
import { type Journal, openJournal } from './journal.ts';

export interface FakeSlackOptions {
  /** JSON lines of every accepted call; read again when it exists. Default: memory only. */
  readonly journal?: string;
  readonly port?: number;
  /** The only token that is accepted. Default: any. */
  readonly token?: string;
  /** Names of the channels that exist. Default: any. */
  readonly channels?: readonly string[];
}

/** One accepted call. */
export interface SlackCall {
  readonly at: number;
  readonly method: string;
  readonly arguments: SlackArguments;
  /** Of the message that was written or changed. */
  readonly ts: string;
}

export interface SlackArguments {
  readonly channel?: string;
  readonly ts?: string;
  readonly thread_ts?: string;
  readonly reply_broadcast?: boolean;
  readonly text?: string;
  readonly blocks?: readonly Record<string, unknown>[];
  readonly metadata?: {
    readonly event_type: string;
    readonly event_payload: { readonly event_id: string; readonly kind: string; readonly incident_id?: number };
  };
}

export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  readonly threadTs?: string;
  /** Latest contents, after updates. */
  readonly arguments: SlackArguments;
  readonly updates: number;
}

export interface FakeSlack {
  /** What `api_url` is set to. */
  readonly url: string;
  readonly port: number;
  /** Oldest first. */
  calls(): SlackCall[];
  /** Requests that arrived, accepted or not, with their times. */
  requests(): readonly { readonly at: number; readonly method: string }[];
  /** Messages that stand in the channel by themselves, oldest first. */
  messages(): SlackMessage[];
  /** Replies in the thread of a message, oldest first. */
  thread(ts: string): SlackMessage[];
  /** What goes wrong from now on, for all requests or the next `times`; undefined mends it. */
  fail(fault: ChannelFault | undefined, times?: number): void;
  /** As if a person had deleted it. */
  forget(ts: string): void;
  close(): Promise<void>;
}

export async function startFakeSlack(options: FakeSlackOptions = {}): Promise<FakeSlack> {
  const workspace = createWorkspace(options, openJournal<SlackCall>(options.journal));
  const faults = createFaultSwitch();
  const requests: { at: number; method: string }[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = (request.url ?? '').replace(/^\/api\//, '');
    const body = await readBody(request);
    requests.push({ at: Date.now(), method });
    const fault = faults.take();
    if (applyFault(fault, request, response)) return;
    const answer =
      fault?.kind === 'answer'
        ? { ok: false, error: fault.error }
        : workspace.call(method, parseArguments(request, body), request.headers.authorization);
    if (fault?.kind === 'accept_then_cut') request.socket.destroy();
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  }

  const port = await listen(server, options.port);
  return {
    url: `http://127.0.0.1:${port}/api/`,
    port,
    calls: workspace.calls,
    requests: () => requests,
    messages: () => workspace.all().filter(({ threadTs }) => threadTs === undefined),
    thread: (ts) => workspace.all().filter(({ threadTs }) => threadTs === ts),
    fail: faults.set,
    forget: workspace.forget,
    close: () => close(server),
  };
}

interface Answer {
  readonly ok: boolean;
  readonly error?: string;
  readonly channel?: string;
  readonly ts?: string;
}

/** What Slack remembers, without the network. */
function createWorkspace({ token, channels }: FakeSlackOptions, journal: Journal<SlackCall>) {
  const messages = new Map<string, SlackMessage>();
  for (const call of journal.entries()) keep(call);
  let written = messages.size;

  function keep({ method, arguments: given, ts }: SlackCall): void {
    const before = messages.get(ts);
    if (method === 'chat.update' && before) {
      messages.set(ts, { ...before, arguments: given, updates: before.updates + 1 });
      return;
    }
    const threadTs = given.thread_ts === undefined ? {} : { threadTs: given.thread_ts };
    messages.set(ts, { channel: channelId(given.channel), ts, ...threadTs, arguments: given, updates: 0 });
  }

  function accept(method: string, given: SlackArguments, ts: string): Answer {
    const call = { at: Date.now(), method, arguments: given, ts };
    journal.append(call);
    keep(call);
    return { ok: true, channel: channelId(given.channel), ts };
  }

  function refusal(method: string, given: SlackArguments, authorization: string | undefined): string | undefined {
    if (token !== undefined && authorization !== `Bearer ${token}`) return 'invalid_auth';
    if (method === 'auth.test') return undefined;
    if (method !== 'chat.postMessage' && method !== 'chat.update') return 'unknown_method';
    if (given.channel === undefined || !knows(given.channel)) return 'channel_not_found';
    if (method === 'chat.update' && !messages.has(given.ts ?? '')) return 'message_not_found';
    if (given.thread_ts !== undefined && !messages.has(given.thread_ts)) return 'thread_not_found';
    return overLimit(given);
  }

  function knows(channel: string): boolean {
    return channels === undefined || channels.some((name) => name === channel || channelId(name) === channel);
  }

  return {
    call(method: string, given: SlackArguments, authorization: string | undefined): Answer {
      const error = refusal(method, given, authorization);
      if (error !== undefined) return { ok: false, error };
      if (method === 'auth.test') return { ok: true };
      if (method === 'chat.update') return accept(method, given, given.ts ?? '');
      written += 1;
      return accept(method, given, `1700000000.${String(written).padStart(6, '0')}`);
    },
    calls: () => journal.entries(),
    all: () => [...messages.values()],
    forget: (ts: string) => void messages.delete(ts),
  };
}

/** Slack answers with an id, whatever name it was given. */
function channelId(channel = ''): string {
  return channel.startsWith('#') ? `C${channel.slice(1).toUpperCase().replace(/\W/g, '')}` : channel;
}

function parseArguments(request: IncomingMessage, body: string): SlackArguments {
  if (request.headers['content-type']?.startsWith('application/json')) return JSON.parse(body) as SlackArguments;
  const form = Object.fromEntries(new URLSearchParams(body));
  return Object.fromEntries(
    Object.entries(form).map(([name, value]) => [name, JSON_ARGUMENTS.has(name) ? JSON.parse(value) : value]),
  );
}

const JSON_ARGUMENTS = new Set(['blocks', 'metadata', 'reply_broadcast', 'unfurl_links', 'unfurl_media']);

interface TextObject {
  readonly text: string;
}

/** https://docs.slack.dev/reference/block-kit/blocks; the sum over all blocks is slackapi/bolt-js#2509. */
function overLimit({ text = '', blocks = [] }: SlackArguments): string | undefined {
  if (text.length > 40_000) return 'msg_too_long';
  if (blocks.length > 50 || blocks.some(isOverLimit)) return 'invalid_blocks';
  return JSON.stringify(blocks).length > 13_200 ? 'msg_blocks_too_long' : undefined;
}

function isOverLimit(block: Record<string, unknown>): boolean {
  const { type, text, fields } = block as { type: string; text?: TextObject; fields?: TextObject[] };
  const max = type === 'header' ? 150 : 3_000;
  if (text && (text.text.length === 0 || text.text.length > max)) return true;
  return (
    fields !== undefined && (fields.length === 0 || fields.length > 10 || fields.some((one) => one.text.length > 2_000))
  );
}
