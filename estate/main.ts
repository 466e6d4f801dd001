/**
 * `npm run estate`: the estate in miniature, to try the daemon on; see docs/estate.md.
 *
 * Exit code: 0 when it did what was asked; 1 when not, or when a break was not seen as it must be; 130 after Ctrl-C.
 */
import { spawnSync } from 'node:child_process';
import Table from 'cli-table3';
import { messageOf } from '../src/errors.ts';
import { nearest } from '../src/nearest.ts';
import { BREAKS, type Break } from './breaks.ts';
import { type Played, play, untilGreen } from './check.ts';
import { listenForOrders, type Order, order } from './control.ts';
import { prepare } from './prepare.ts';
import { type Stage, setStage } from './stage.ts';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** Half of how far back rows are compared: earlier a window has no opinion. */
const WARM_MS = 16_000;
const tell = (text: string) => console.log(text);

const COMMANDS: Readonly<Record<string, (names: readonly string[]) => Promise<number>>> = {
  async prepare() {
    await prepare(tell);
    return 0;
  },
  async '--list'() {
    for (const [name, { summary }] of Object.entries(BREAKS)) tell(`${name.padEnd(20)} ${summary}`);
    return 0;
  },
  async break([name = '']) {
    tell(await order('break', name));
    return 0;
  },
  async mend([name = '']) {
    tell(await order('mend', name));
    return 0;
  },
  check: (names) => onStage('observe', (stage) => checkAll(stage, names)),
  run: () => onStage(process.env['BRAINSTEM_HEALING'] ?? 'auto', keepRunning),
};

/** Builds, sets the stage, and ends it after the act or a signal, whichever comes first. */
async function onStage(healing: string, act: (stage: Stage) => Promise<number>): Promise<number> {
  const interrupted = interruption();
  if (spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' }).status !== 0) return 1;
  const stage = await setStage({ healing, tell: (text) => tell(`starting ${text}`) });
  try {
    for (const { part, why } of stage.missing) tell(`left out: ${part}: ${why}`);
    return await Promise.race([act(stage), interrupted]);
  } finally {
    tell('ending what was started');
    await stage.close();
  }
}

/** Resolves to the exit code of the first signal that asks us to end. */
function interruption(): Promise<number> {
  return new Promise((resolve) => {
    // They stay installed, so that a second Ctrl-C does not cut the clean-up short.
    for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => resolve(code));
  });
}

async function keepRunning({ daemon, home, world }: Stage): Promise<number> {
  // What is not green on a busy machine is there to be looked at.
  await untilGreen(daemon).then(
    () => tell('every probe is green'),
    (error: unknown) => tell(messageOf(error)),
  );
  const control = await listenForOrders(async (verb, name) => {
    const chosen = breakOf(name);
    if (world[chosen.part] === undefined) throw new Error(`the part ${chosen.part} was left out`);
    await carryOut(verb, chosen, world as never);
    return told(verb, name, chosen);
  });
  tell(`console   ${daemon.url}/`);
  tell(`home      ${home.path}`);
  tell('break     npm run estate -- break NAME (in another terminal; npm run estate -- --list names them)');
  tell('end       Ctrl-C');
  const code = await daemon.exited;
  await control.close();
  tell(`the daemon ended with ${code}\n${daemon.output()}`);
  return 1;
}

async function carryOut(verb: Order, chosen: Break, world: Parameters<Break['does']>[0]): Promise<void> {
  await (verb === 'break' ? chosen.does(world) : chosen.mends(world));
}

function told(verb: Order, name: string, { summary, red }: Break): string {
  if (verb === 'mend') return `mended: ${name}`;
  return `broken: ${summary}; goes down: ${Object.entries(red)
    .map(([probe, reason]) => `${probe} (${reason})`)
    .join(', ')}`;
}

function breakOf(name: string): Break {
  const chosen = BREAKS[name];
  if (chosen) return chosen;
  const meant = nearest(name, Object.keys(BREAKS));
  throw new Error(`there is no break "${name}"${meant ? `; did you mean ${meant}?` : ': npm run estate -- --list'}`);
}

async function checkAll(stage: Stage, names: readonly string[]): Promise<number> {
  const chosen = names.length > 0 ? names : Object.keys(BREAKS);
  for (const name of chosen) breakOf(name);
  await untilGreen(stage.daemon);
  await new Promise((resume) => setTimeout(resume, WARM_MS));
  const table = new Table({ head: ['break', 'seen after', 'allowed', ''], style: { head: [], border: [] } });
  let wrong = 0;
  for (const name of chosen) {
    const { part } = breakOf(name);
    if (stage.world[part] === undefined) {
      table.push([name, '', '', `left out: there is no ${part}`]);
      continue;
    }
    const played = await play(stage, name).catch(
      (error: unknown): Played => ({ name, seenMs: 0, allowedMs: 0, problems: [messageOf(error)] }),
    );
    if (played.problems.length > 0) wrong += 1;
    tell(`${name}: ${played.problems.join('; ') || 'as it must be'}`);
    table.push(rowOf(played));
  }
  tell(table.toString());
  return wrong === 0 ? 0 : 1;
}

function rowOf({ name, seenMs, allowedMs, problems }: Played): string[] {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  return [name, seconds(seenMs), seconds(allowedMs), problems.join('\n') || 'as it must be'];
}

async function main([command = 'run', ...names]: readonly string[]): Promise<number> {
  const chosen = COMMANDS[command === 'list' ? '--list' : command];
  if (chosen) return await chosen(names);
  console.error(`npm run estate -- [${Object.keys(COMMANDS).join(' | ')}]`);
  return 2;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
