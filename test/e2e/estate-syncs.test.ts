/** The estate's own definitions of syncs: a job that stops pinging is noticed on its deadline, and run. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { untilStory } from '../estate/docker-scene.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { type SeenStory, untilState } from '../estate/scene.ts';

const PERIOD_MS = 6_000;
const GRACE_MS = 3_000;

let estate: OwnEstate | undefined;
let folder = '';

afterEach(async () => {
  await estate?.close();
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

/** A sync as somebody would write it: what it does, and a ping at its end. The address is in a file beside it. */
const SYNC = `#!/bin/sh
set -eu
cd -- "$(dirname -- "$0")"
echo "synchronised after an incident of $(sed 's/.*"remediation":"\\([^"]*\\)".*/\\1/')"
exec "${process.execPath}" -e 'fetch(process.argv[1]).then(({ ok }) => process.exit(ok ? 0 : 1))' "$(cat ping-url)"
`;

it('a sync that stops is noticed on its deadline, and is run', { timeout: 120_000 }, async () => {
  folder = await mkdtemp(join(tmpdir(), 'brainstem-sync-'));
  const script = join(folder, 'sync.sh');
  await writeFile(script, SYNC);
  await chmod(script, 0o755);
  estate = await startOwnEstate({
    DATABASE_SYNC_KEY: 'key-of-the-sync',
    DATABASE_SYNC_PERIOD: `${PERIOD_MS}ms`,
    DATABASE_SYNC_GRACE: `${GRACE_MS}ms`,
    DATABASE_SYNC_SCRIPT: script,
  });
  const { daemon, heard } = estate;
  await writeFile(join(folder, 'ping-url'), `${daemon.url}/ping/key-of-the-sync`);

  await daemon.fetch('/ping/key-of-the-sync');
  const lastPing = Date.now();
  await untilState(daemon, 'database-sync', 'up');
  const isHealed = ({ healed_by }: SeenStory) => healed_by === 'run-database-sync';
  const story = await untilStory(daemon, 'database-sync', 'healed', isHealed);

  const late = Date.parse(story.opened_at) - (lastPing + PERIOD_MS + GRACE_MS);
  expect(late).toBeGreaterThanOrEqual(-1_000);
  // A fraction of a second where nothing else runs; its next regular look would have been up to 30 s away.
  expect(late).toBeLessThan(4_000);
  expect(story.cause).toContain('the last success was');
  expect(story.attempts.at(-1)).toMatchObject({ remediation: 'run-database-sync', state: 'healed' });
  expect(JSON.stringify(await daemon.api(`incidents/${story.id}`))).toContain('after an incident of run-database-sync');
  await until(() => heard('database-sync').includes('healed_itself'), { what: 'the note' });
  expect(heard('database-sync')).not.toContain('opened');
});
