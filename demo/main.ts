/**
 * `npm run demo`: a service is broken in three ways, and the terminal shows how each is noticed, healed, proven and told.
 *
 * Exit code: 0 when every fault was healed and Slack heard of it, 1 when not, 130 after Ctrl-C. Whatever the end, nothing stays.
 */
import type { Pace } from './definitions.ts';
import { FAULTS, type Outcome, play, prepare, untilUp } from './scenario.ts';
import { type Stage, setStage } from './stage.ts';
import { createScreen, type Screen } from './terminal.ts';

const PACE: Pace = { every: '1s', timeout: '800ms', settle: '1s' };
const PATIENCE_MS = 40_000;
const CALM_MS = 2_000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

async function show(stage: Stage, screen: Screen): Promise<number> {
  screen.line(`   service   ${stage.service.url}  probed every ${PACE.every}, down after 2 failures in a row`);
  screen.line(`   daemon    ${stage.daemon().url}/  (its page: open it and watch along)`);
  screen.line(`   Slack     ${stage.slack.url}  (a fake one: nothing leaves this machine)`);
  await untilUp(stage);
  screen.line('\nThe service is up.');
  const outcomes: Outcome[] = [];
  for (const [index, fault] of FAULTS.entries()) {
    await new Promise((resume) => setTimeout(resume, CALM_MS));
    screen.fault(index + 1, fault);
    if (await prepare(stage, fault)) {
      screen.line(`   page_after: ${fault.pageAfter} was saved to the probe's file, and is loaded`);
    }
    let brokenAt = 0;
    outcomes.push(
      await play(stage, fault, {
        patienceMs: PATIENCE_MS,
        onStep(step) {
          if (step.kind === 'broken') brokenAt = step.at;
          screen.step(step, brokenAt);
        },
      }),
    );
  }
  screen.outcomes(outcomes);
  return outcomes.every(({ healed }) => healed) ? 0 : 1;
}

function farewell(screen: Screen): void {
  screen.line('\nTimes are measured from the breaking. What the demo started has ended; what it wrote is deleted.');
  screen.line('Next: npm start, then http://127.0.0.1:9911/ — README.md shows how to add a probe, a fix and Slack.');
}

/** Resolves to the exit code of the first signal that asks us to end. */
function interruption(): Promise<number> {
  return new Promise((resolve) => {
    for (const [signal, code] of Object.entries(SIGNALS)) {
      // It stays installed, so that a second Ctrl-C does not cut the clean-up short.
      process.on(signal, () => resolve(code));
    }
  });
}

async function main(): Promise<number> {
  let silent = false;
  const color = process.stdout.isTTY === true && !process.env['NO_COLOR'];
  const screen = createScreen((text) => void (silent || process.stdout.write(text)), color);
  const interrupted = interruption().then((code) => {
    screen.line('\nEnding what was started…');
    silent = true;
    return code;
  });
  screen.line('Brainstem demo: one service, broken in three ways.\n');
  const stage = await setStage(PACE);
  const code = await Promise.race([show(stage, screen), interrupted]).finally(() => stage.close());
  if (code === 0) farewell(screen);
  return code;
}

// After a signal the show may still wait for something that will not come.
process.exit(await main());
