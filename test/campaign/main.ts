/**
 * `npm run campaign [-- --seed TEXT --minutes M --from TYPE --only TYPE,TYPE]`: lets every probe type's example run a thousand
 * times against what it talks of, and counts what is left in this process. Exit code: 0 when nothing is, 1 otherwise.
 *
 * The seed decides the order. It begins no further type after M minutes, and says how to go on from there.
 */
import { createHash, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/errors.ts';
import { probeTypes } from '../../src/probe-types/index.ts';
import { runOnce, stageExample } from '../estate/examples/example.ts';
import { growth, type Length, type Soaked, soak } from '../estate/soak.ts';

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '7' },
    from: { type: 'string' },
    only: { type: 'string' },
  },
});

const USUAL: Length = { first: 200, last: 1_000, atOnce: 20 };
/** Fewer, where a run starts a program or a browser. */
const LENGTHS: Readonly<Record<string, Length>> = {
  browser: { first: 5, last: 30, atOnce: 1 },
  // Runs of one definition share the mailbox into which workers answer: they never overlap.
  celery: { ...USUAL, atOnce: 1 },
  exec: { first: 50, last: 200, atOnce: 10 },
  'selenium-grid': { first: 5, last: 30, atOnce: 5 },
};

/** Of the table's columns, in characters. */
const WIDTHS = [14, 11, 11, 9, 8, 9, 5, 5];

const seed = given.seed ?? randomUUID().slice(0, 8);
const untilMs = performance.now() + Number(given.minutes) * 60_000;
console.log(`seed ${seed}, Node ${process.version}\n`);
process.exitCode = (await campaign()) ? 0 : 1;

async function campaign(): Promise<boolean> {
  let isClean = true;
  console.log(line(['type', 'runs', 'descriptors', 'handles', 'children', 'heap', 'took', '']));
  for (const type of chosen()) {
    if (performance.now() > untilMs) {
      console.log(`\nthe time is up: go on with --seed ${seed} --from ${type}`);
      break;
    }
    const length = LENGTHS[type] ?? USUAL;
    try {
      const soaked = await soakType(type, length);
      const grown = growth(soaked);
      isClean &&= grown.length === 0;
      console.log(row(type, length, soaked, grown));
    } catch (error) {
      isClean = false;
      console.log(line([type, 'FAILS', messageOf(error)]));
    }
  }
  return isClean;
}

/** In the order of the seed. */
function chosen(): readonly string[] {
  const placeOf = (type: string) => createHash('sha256').update(`${seed} ${type}`).digest('hex');
  const order = Object.keys(probeTypes).toSorted((one, other) => (placeOf(one) < placeOf(other) ? -1 : 1));
  const only = given.only?.split(',');
  const rest = given.from === undefined ? order : order.slice(order.indexOf(given.from));
  return rest.filter((type) => only?.includes(type) ?? true);
}

async function soakType(type: string, length: Length): Promise<Soaked> {
  const example = await stageExample(type);
  try {
    return await soak(() => runOnce(example), length);
  } finally {
    await example.close();
  }
}

function row(type: string, { first, last }: Length, soaked: Soaked, grown: readonly string[]): string {
  const { before, after, durationMs } = soaked;
  const [descriptors, handles, children] = (['descriptors', 'handles', 'children'] as const).map(
    (what) => `${before[what]} → ${after[what]}`,
  );
  const heap = `${((after.heapBytes - before.heapBytes) / 1_024).toFixed(0)} KiB`;
  const cells = [type, `${first} → ${last}`, descriptors, handles, children, heap];
  return line([...cells, `${Math.round(durationMs / 1_000)} s`, grown.length === 0 ? 'holds' : 'GROWS']);
}

function line(cells: readonly (string | undefined)[]): string {
  return cells
    .map((cell = '', index) => (index === 0 ? cell.padEnd(WIDTHS[index] ?? 0) : cell.padStart(WIDTHS[index] ?? 0)))
    .join('  ')
    .trimEnd();
}
