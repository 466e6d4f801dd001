import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { type Stage, setStage } from '../estate/stage.ts';

let stage: Stage | undefined;

afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

const fixes = async ({ service }: Stage) => (await service.oracle()).filter(({ what }) => what === 'fix').length;

describe('the straight line', () => {
  it.each(['kill', 'hang', '500'] as const)(
    'notices a service that is broken by %s, heals it, proves it and tells Slack',
    async (how) => {
      stage = await setStage();
      const { service, slack } = stage;
      const daemon = await stage.start();
      await until(async () => (await daemon.api<{ state: string }>('probes/service')).state === 'up', {
        what: 'the service to be up',
      });
      await service.break(how);
      const message = await until(() => slack.messages()[0], { what: 'a message' });
      await until(
        () =>
          slack.thread(message.ts).some(({ arguments: { metadata } }) => metadata?.event_payload.kind === 'resolved'),
        { what: 'the resolved reply' },
      );
      expect(await fixes(stage)).toBe(1);
      expect((await fetch(service.url)).status).toBe(200);
      const { incidents } = await daemon.api<{ incidents: { healed_by: string; resolved_at: string | null }[] }>(
        'incidents?open=false',
      );
      expect(incidents).toHaveLength(1);
      expect(incidents[0]).toMatchObject({ healed_by: 'restart-service' });
      expect(slack.messages()).toHaveLength(1);
      expect(await daemon.stop()).toBe(0);
    },
  );

  it('holds the page while a fix is verified, and sends one note when it healed itself', async () => {
    stage = await setStage('    page_after: 20s');
    const { service, slack } = stage;
    const daemon = await stage.start();
    await until(async () => (await daemon.api<{ state: string }>('probes/service')).state === 'up', {
      what: 'the service to be up',
    });
    await service.break('kill');
    await until(() => slack.messages().length > 0, { what: 'a note' });
    expect(slack.messages().map(({ arguments: { metadata } }) => metadata?.event_payload.kind)).toEqual([
      'healed_itself',
    ]);
    expect(await fixes(stage)).toBe(1);
  });
});
