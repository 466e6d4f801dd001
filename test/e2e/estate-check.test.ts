/** How `npm run estate -- check` compares, on a small home: what a break must not touch is told, also when it is only unknown. */
import { afterEach, expect, it } from 'vitest';
import { play, untilGreen } from '../../estate/check.ts';
import type { Stage } from '../../estate/stage.ts';
import { type Scene, setScene } from '../estate/scene.ts';

let scene: Scene;
afterEach(() => scene?.close());

const DEFINITIONS = `
defaults: { every: 400ms, timeout: 300ms, recover_after: 1, relapse: 0s }
probes:
  - { name: backend-customers, http: { url: "\${BASE}customers" }, fail_after: 6, retry_every: 200ms }
  - { name: other, exec: { argv: [sh, -c, "exit $(cat ../exit)"] }, every: 200ms, fail_after: 1 }
`;

it('tells of what cannot tell any more, and allows what the definition says', async () => {
  scene = await setScene(() => ({ exit: '0', 'probes/two.yaml': DEFINITIONS }));
  const { home, targets } = scene;
  const daemon = await scene.start({ environment: { BASE: targets.url('') } });
  const backend = {
    async fail(what?: string) {
      await home.write({ exit: what === undefined ? '0' : '3' });
      targets.set('customers', what === undefined ? 'ok' : 'broken');
    },
  };
  await untilGreen(daemon);
  // All that this break needs of the world.
  const stage = { daemon, world: { backend } } as unknown as Stage;
  expect(await play(stage, 'customers-fail')).toMatchObject({
    problems: ['other is unknown too (internal)'],
    allowedMs: 400 + 5 * 200 + 6 * 300 + 2_000,
  });
});
