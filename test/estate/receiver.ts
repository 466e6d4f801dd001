/**
 * A receiver of Brainstem's webhooks, as somebody would write it: it checks the signature and the timestamp, and appends
 * every accepted body to a journal.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { applyFault, type ChannelFault, close, createFaultSwitch, listen, readBody } from './faults.ts';
import { openJournal } from './journal.ts';

export interface ReceiverOptions {
  /** JSON lines of every accepted delivery. Default: memory only. */
  readonly journal?: string;
  readonly port?: number;
  /** With it a body without its right signature is answered 401. */
  readonly secret?: string;
}

/** The parts of a webhook body that tests look at. */
export interface ReceivedBody {
  readonly event_id: string;
  readonly kind: string;
  readonly at: string;
  readonly title: string;
  readonly text: string;
  readonly incident: { readonly id: number; readonly state: string; readonly subject: string } | null;
  readonly digest: readonly { readonly incident_id: number; readonly title: string; readonly kind: string }[];
}

export interface Delivery {
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: ReceivedBody;
}

export interface Receiver {
  readonly url: string;
  readonly port: number;
  /** Accepted deliveries, oldest first. */
  deliveries(): Delivery[];
  /** When each request arrived, accepted or not. */
  requests(): readonly number[];
  fail(fault: ChannelFault | undefined, times?: number): void;
  close(): Promise<void>;
}

export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const journal = openJournal<Delivery>(options.journal);
  const faults = createFaultSwitch();
  const requests: number[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    requests.push(Date.now());
    const fault = faults.take();
    if (applyFault(fault, request, response)) return;
    if (options.secret !== undefined && !isSigned(request.headers, body, options.secret)) {
      response.writeHead(401).end();
      return;
    }
    journal.append({ at: Date.now(), headers: request.headers, body: JSON.parse(body) as ReceivedBody });
    if (fault?.kind === 'accept_then_cut') request.socket.destroy();
    else response.writeHead(204).end();
  }

  const port = await listen(server, options.port);
  return {
    url: `http://127.0.0.1:${port}/alerts`,
    port,
    deliveries: journal.entries,
    requests: () => requests,
    fail: faults.set,
    close: () => close(server),
  };
}

const TOLERANCE_SECONDS = 300;

function isSigned(headers: IncomingHttpHeaders, body: string, secret: string): boolean {
  const timestamp = String(headers['x-brainstem-timestamp'] ?? '');
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`);
  const given = Buffer.from(String(headers['x-brainstem-signature'] ?? ''));
  return given.length === expected.length && timingSafeEqual(given, expected);
}
