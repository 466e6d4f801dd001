import { createServer } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { close, listen } from '../estate/faults.ts';
import { incidentsOf, type Scene, setScene } from '../estate/scene.ts';

const server = createServer();
let scene: Scene | undefined;

afterEach(async () => {
  await scene?.close();
  await close(server);
});

it('a target that answers well and badly in turn is three messages, one incident, and a history of every change', async () => {
  let asked = 0;
  server.on('request', (_request, response) => {
    asked += 1;
    response.writeHead(asked % 2 === 0 ? 200 : 503).end();
  });
  const port = await listen(server);
  const often = ['fail_after: 1', 'recover_after: 1', 'relapse: 15m'];
  scene = await setScene((targets) => ({
    'probes/all.yaml': probesFile(probe(targets, 'turning', [`http: { url: "http://127.0.0.1:${port}/" }`, ...often])),
  }));
  const daemon = await scene.start();
  const changes = async () =>
    (await daemon.api<{ transitions: unknown[] }>('probes/turning/history?limit=10000')).transitions.length;
  await until(async () => (await changes()) >= 24, { what: 'two dozen changes of state', withinMs: 60_000 });
  expect(scene.alerts.kinds('turning')).toEqual(['opened', 'resolved', 'reopened']);
  const incidents = await incidentsOf(daemon, 'turning');
  expect(incidents).toHaveLength(1);
  expect(incidents[0]?.reopened).toBeGreaterThan(8);
}, 90_000);
