/** Scenes of what is asked over HTTP. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { WebSocketServer } from 'ws';
import { until } from '../daemon.ts';
import { startPrometheus } from '../prometheus.ts';
import { startSeleniumGrid } from '../selenium-grid.ts';
import { type Later, type SetScene, serve } from './scenery.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers one path, and nothing else. */
function pageAt(path: string, later: Later, answer: Answer): Promise<number> {
  const listener: Answer = (request, response) => {
    if (request.url === path) return answer(request, response);
    response.writeHead(204).end();
  };
  return serve(createServer(listener), later);
}

const json = (value: unknown) => (_request: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};

export const httpScene: SetScene = async (later) => {
  const port = await pageAt('/health', later, json({ status: 'operational' }));
  return { moved: [['127.0.0.1:8080', `127.0.0.1:${port}`]] };
};

export const statuspageScene: SetScene = async (later) => {
  const page = {
    page: { id: 'x', name: 'Provider', url: 'http://127.0.0.1', time_zone: 'Etc/UTC' },
    status: { indicator: 'none', description: 'All Systems Operational' },
    components: [{ id: 'api', name: 'API', status: 'operational', group: false }],
    incidents: [],
    scheduled_maintenances: [],
  };
  const port = await pageAt('/api/v2/summary.json', later, json(page));
  return { moved: [['127.0.0.1:8080', `127.0.0.1:${port}`]] };
};

export const credentialScene: SetScene = async (later) => {
  const token = ['deploy', 'token', 'of', 'the', 'test'].join('-');
  const port = await pageAt('/api/whoami', later, (request, response) => {
    response.writeHead(request.headers.authorization === `Bearer ${token}` ? 200 : 401).end('{}');
  });
  return { moved: [['127.0.0.1:8080', `127.0.0.1:${port}`]], environment: { DEPLOY_TOKEN: token } };
};

const LOGIN = `<!doctype html><title>Shop</title>
<input id="user"><input id="password" type="password"><button>Sign in</button>
<script>
document.querySelector('button').onclick = () => {
  const typed = document.querySelector('#user').value + ':' + document.querySelector('#password').value;
  document.body.textContent = typed === 'probe:PASSWORD' ? 'Welcome' : 'No';
};
</script>`;

export const browserScene: SetScene = async (later) => {
  const password = ['correct', 'horse'].join('-');
  const port = await pageAt('/login', later, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(LOGIN.replace('PASSWORD', password));
  });
  // As root Chromium has no sandbox, and says so instead of starting.
  const asRoot = [['browser:\n', 'browser:\n    sandbox: false\n']] as const;
  return {
    moved: [['127.0.0.1:8080', `127.0.0.1:${port}`], ...(process.getuid?.() === 0 ? asRoot : [])],
    environment: { SHOP_PASSWORD: password },
  };
};

export const websocketScene: SetScene = async (later) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server, path: '/live' });
  sockets.on('connection', (client) => {
    client.on('error', () => undefined);
    client.on('message', () => client.send('{"type":"pong"}'));
  });
  const port = await serve(server, later);
  return { moved: [['127.0.0.1:8080', `127.0.0.1:${port}`]] };
};

/** `grpc.health.v1.Health/Check`, whose answer is SERVING (1). */
export const grpcScene: SetScene = async (later) => {
  const server = createHttp2Server();
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const known = headers[':path'] === '/grpc.health.v1.Health/Check';
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': known ? '0' : '12' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  });
  const port = await serve(server, later);
  return { moved: [['127.0.0.1:50051', `127.0.0.1:${port}`]] };
};

/** A shop that answers more and more requests, and failed in some of the first. */
export const prometheusScene: SetScene = async (later) => {
  let answered = 0;
  const port = await pageAt('/metrics', later, (_request, response) => {
    answered += 100;
    const series = [`http_requests_total{code="200"} ${answered}`, 'http_requests_total{code="503"} 7', ''];
    response.writeHead(200, { 'content-type': 'text/plain' }).end(series.join('\n'));
  });
  const prometheus = await startPrometheus(port);
  later(prometheus.stop);
  const rated = async () => (await prometheus.query('rate(http_requests_total[5m])')).length === 2;
  await until(rated, { what: 'Prometheus to have seen it twice' });
  return { moved: [['http://127.0.0.1:9090', prometheus.url]] };
};

export const seleniumGridScene: SetScene = async (later) => {
  const grid = await startSeleniumGrid();
  later(grid.stop);
  return { moved: [['http://127.0.0.1:4444', grid.url]] };
};
