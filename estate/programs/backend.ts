/**
 * The backend as a program of its own: health, ten groups of routes, a WebSocket, and sessions. What is wrong with it stands in a
 * file that it reads at every request. Arguments: port, that file, version.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { readBody } from '../../test/estate/faults.ts';

const [port = '0', faultsFile = '', version = ''] = process.argv.slice(2);
const GROUPS = [
  ...['auth', 'customers', 'jobs', 'estimates', 'invoices', 'inventory', 'equipment', 'workflows', 'ai', 'webhooks'],
];
const tokens = new Set<string>();

const faults = (): readonly string[] => JSON.parse(readFileSync(faultsFile, 'utf8')) as string[];

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, api, first, group = '', rest] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
  const wrong = faults();
  if (api !== 'api' || first !== 'v1') return json(response, { detail: 'Not Found' }, 404);
  if (group === 'health') {
    return json(response, { status: wrong.includes('health') ? 'degraded' : 'operational', version });
  }
  if (wrong.includes(group)) return json(response, { detail: 'Internal Server Error' }, 500);
  if (group === 'auth' && rest === 'login') return await signIn(request, response);
  if (group === 'auth' && rest === 'me') return json(response, {}, isSignedIn(request, wrong) ? 200 : 401);
  if (GROUPS.includes(group)) return json(response, { detail: 'Not authenticated' }, 401);
  json(response, { detail: 'Not Found' }, 404);
}

async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { email } = JSON.parse(await readBody(request)) as { email?: string };
  const token = randomUUID();
  // As many as are looked at again; each is used at once.
  if (tokens.size > 100) tokens.clear();
  tokens.add(token);
  json(response, email === undefined ? {} : { access_token: token });
}

function isSignedIn({ headers }: IncomingMessage, wrong: readonly string[]): boolean {
  return !wrong.includes('sessions') && tokens.has(headers.authorization?.replace('Bearer ', '') ?? '');
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  if (!faults().includes('websocket'))
    sockets.handleUpgrade(request, socket, head, (client) => client.on('error', () => {}));
  else socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
});
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
