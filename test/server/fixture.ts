/** A server on loopback over a world in memory and a real store in a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ConflictError, NotFoundError, UsageError } from '../../src/errors.ts';
import type { Incident } from '../../src/model.ts';
import type { Commands, ReloadOutcome, Store } from '../../src/ports.ts';
import { createServer, type ServerOptions } from '../../src/server/server.ts';
import { openStore } from '../../src/store/open.ts';
import {
  attempt,
  clock,
  emptyWorld,
  incident,
  type Logged,
  NOW,
  recordingLog,
  silence,
  viewsOf,
  type World,
} from './world.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** Parsed; throws when it is not JSON. */
  json(): unknown;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** What was commanded, in order: the name of the command and its arguments. */
export type Commanded = readonly [string, ...unknown[]];

export interface Fixture {
  readonly world: World;
  readonly store: Store;
  readonly commanded: Commanded[];
  readonly logged: Logged[];
  readonly port: number;
  readonly url: string;
  reloadOutcome: ReloadOutcome;
  ask(path: string, asked?: Asked): Promise<Answer>;
  post(path: string, body?: unknown, headers?: OutgoingHttpHeaders): Promise<Answer>;
  close(): Promise<void>;
}

export async function startServer(given: Partial<ServerOptions> = {}, world = emptyWorld()): Promise<Fixture> {
  const home = mkdtempSync(join(tmpdir(), 'brainstem-server-'));
  const logged: Logged[] = [];
  const log = recordingLog(logged);
  const store = await openStore({ home, clock, log });
  const commanded: Commanded[] = [];
  const state = { reloadOutcome: { ok: true, changed: ['web'] } as ReloadOutcome };
  const close = async () => {
    await store.close();
    rmSync(home, { recursive: true });
  };
  const server = await createServer({
    views: viewsOf(world),
    commands: recordingCommands(commanded, state, store),
    store,
    metrics: {
      render: async (format) => ({
        contentType: `text/${format}`,
        body: Buffer.from(`${format}\n`.repeat(50)),
        release() {},
      }),
    },
    onDemand: { probe: () => Promise.reject(new UsageError('module_unknown', 'there is no module here')) },
    clock,
    log,
    redact: (text) => text.replaceAll('canary-secret', '[redacted]'),
    listen: { host: '127.0.0.1', port: 0 },
    publicUrl: 'http://status.example.org',
    version: '1.2.3',
    ...given,
  }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const { port } = server.address;
  const ask = (path: string, asked: Asked = {}) => askServer(port, path, asked);
  return Object.assign(state, {
    ...{ world, store, commanded, logged, port, ask },
    url: `http://127.0.0.1:${port}`,
    post: (path: string, body?: unknown, headers: OutgoingHttpHeaders = {}) =>
      ask(path, {
        method: 'POST',
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    async close() {
      await server.close();
      await close();
    },
  });
}

function askServer(port: number, path: string, { method = 'GET', headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, async (response) => {
      try {
        const content = await buffer(response);
        const text = content.toString();
        const { headers: answered, statusCode: status = 0 } = response;
        resolve({ status, headers: answered, body: content, text, json: () => JSON.parse(text) });
      } catch (error) {
        reject(error);
      }
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

function recordingCommands(commanded: Commanded[], state: { reloadOutcome: ReloadOutcome }, store: Store): Commands {
  const existing = async (id: number): Promise<Incident> => {
    const found = await store.incident(id);
    if (found === undefined) throw new NotFoundError('incident_unknown', `there is no incident ${id}`);
    return found;
  };
  return {
    async reload(by) {
      commanded.push(['reload', by]);
      return state.reloadOutcome;
    },
    async freeze(by, why) {
      commanded.push(['freeze', by, why]);
      return { at: NOW, by, why };
    },
    async unfreeze(by) {
      commanded.push(['unfreeze', by]);
      return by !== 'file';
    },
    async arm(remediation, by) {
      if (remediation !== 'restart') throw new NotFoundError('remediation_unknown', `there is no "${remediation}"`);
      commanded.push(['arm', remediation, by]);
      return true;
    },
    async remediate(request) {
      if (request.remediation === 'none') throw new NotFoundError('remediation_unknown', 'there is no "none"');
      commanded.push(['remediate', request]);
      if (request.remediation === 'slow') await new Promise((resolve) => setTimeout(resolve, 1_000));
      if (request.dryRun)
        return {
          plan: { go: false, refusal: 'cooldown', detail: 'too soon', retryAt: NOW },
          would: 'docker restart web',
        };
      return { plan: { go: true }, would: 'docker restart web', attempt: attempt(3, request.remediation) };
    },
    async acknowledge(id, by) {
      commanded.push(['acknowledge', id, by]);
      return { ...(await existing(id)), acknowledgedAt: NOW, acknowledgedBy: by };
    },
    async resolve(id, by, force) {
      commanded.push(['resolve', id, by, force]);
      if (!force) throw new ConflictError('still_failing', 'it still fails; use --force');
      return { ...(await existing(id)), resolvedAt: NOW, resolution: 'by_hand' };
    },
    async comment(id, by, text) {
      commanded.push(['comment', id, by, text]);
      await existing(id);
    },
    async silence(request) {
      commanded.push(['silence', request]);
      const { by: _by, ...rest } = request;
      return store.insertSilence({ startsAt: NOW, createdAt: NOW, ...rest });
    },
    async expireSilence(id, by) {
      commanded.push(['expireSilence', id, by]);
      if (id === 999) throw new NotFoundError('silence_unknown', `there is no silence ${id}`);
      return silence(id, { expiredAt: NOW });
    },
    async ping(key, ping) {
      if (key === 'broken-key') throw new TypeError('a bug');
      commanded.push(['ping', key, ping]);
      return key === 'known-key';
    },
  };
}

/** An incident with a timeline, an attempt and notifications, as rows. Returns its id. */
export async function storeIncident(store: Store, given: Partial<Incident> = {}): Promise<number> {
  const { id: _id, ...fresh } = incident(0, 'web', given);
  const { id } = await store.insertIncident(fresh);
  await store.addTimeline({ incidentId: id, at: NOW - 1_000, kind: 'opened', text: fresh.cause, actor: 'brainstem' });
  const { id: _attempt, ...run } = attempt(0, 'restart', { incidentId: id, output: 'restarted' });
  await store.insertAttempt(run);
  await store.insertNotification({
    notifier: 'oncall',
    incidentId: id,
    alert: {
      eventId: 'e1',
      kind: 'opened',
      at: NOW,
      severity: 'critical',
      title: fresh.title,
      text: '',
      facts: [],
      url: '',
    },
    state: 'sent',
    createdAt: NOW,
    dueAt: NOW,
    tries: 1,
    sentAt: NOW,
  });
  return id;
}
