/** Child process of the durability test: commits as fast as it can, and says so after each commit, until it is killed. */
import { writeSync } from 'node:fs';
import { incident, result, state } from './records.ts';
import { openHome } from './sqlite.ts';

const [home = '', run = ''] = process.argv.slice(2);
const store = await openHome(home);
for (let step = 0; ; step++) {
  const probe = `run-${run}-${step}`;
  await store.transaction(async (queries) => {
    const opened = await queries.insertIncident(incident({ subject: probe }));
    await queries.insertTransition({
      probe,
      from: 'up',
      to: 'down',
      at: step,
      reason: 'dns',
      summary: '',
      incidentId: opened.id,
    });
    await queries.saveProbeState(state({ probe }));
  });
  await store.addResults(
    [0, 1].map((offset) => result({ probe, at: Date.UTC(2026, 10, 23) + step * 60_000 + offset })),
  );
  writeSync(1, `${probe}\n`);
}
