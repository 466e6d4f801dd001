/** Probes in code in a real daemon: what they do to their threads reaches nothing else. */
import { readdirSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { createHome, type Daemon, type Home, startDaemon, until } from '../estate/daemon.ts';

let home: Home | undefined;
let daemon: Daemon | undefined;

afterEach(async () => {
  await daemon?.stop();
  await home?.remove();
  daemon = undefined;
  home = undefined;
});

interface Seen {
  readonly state: string;
  readonly reason: string;
  readonly error: string | null;
}

/** A probe that does `body`, every second. */
function probe(name: string, body: string): string {
  return [
    `import { defineProbe } from 'brainstem';`,
    `export default defineProbe({ name: '${name}', every: '1s', timeout: '800ms', fail_after: 1, recover_after: 1,`,
    `  async run(context): Promise<any> { ${body} },`,
    '});',
    '',
  ].join('\n');
}

async function start(files: Readonly<Record<string, string>>): Promise<{ home: Home; daemon: Daemon }> {
  home = await createHome({ 'brainstem.yml': 'http: { listen: "${LISTEN}" }', ...files });
  daemon = await startDaemon({ home });
  return { home, daemon };
}

const threads = (pid: number) => readdirSync(`/proc/${pid}/task`).length;

it('a daemon goes on while modules loop, exit, throw and hang', async () => {
  const running = await start({
    'probes/fine.ts': probe('fine', 'return { word: "yes" };'),
    'probes/loop.ts': probe('loop', 'for (;;) ;'),
    'probes/exits.ts': probe('exits', 'process.exit(1);'),
    'probes/throws.ts': probe('throws', 'throw new Error("a slip");'),
    'probes/hangs.ts': probe('hangs', 'return new Promise(() => undefined);'),
  });
  const { api, log } = running.daemon;
  const seen = async (name: string) => api<Seen>(`probes/${name}`);
  await until(
    async () => {
      const fine = await seen('fine');
      const states = await Promise.all(
        ['loop', 'exits', 'throws', 'hangs'].map(async (name) => (await seen(name)).state),
      );
      return fine.state === 'up' && states.every((state) => state === 'unknown');
    },
    { withinMs: 40_000, what: 'four unknown probes beside one that is up' },
  );
  expect(log.filter(({ event }) => event === 'probe_threw' || event === 'probe_ignored_deadline')).toEqual([]);
  expect(await running.daemon.stop()).toBe(0);
});

it('a change of what a module imports is loaded, and a broken one changes nothing', async () => {
  const body = 'return { word };';
  const running = await start({
    'probes/word.ts': `import { word } from './lib/word.ts';\n${probe('word', body)}`.replace(
      'fail_after',
      `expect: ['word == "one"'], fail_after`,
    ),
    'probes/lib/word.ts': 'export const word: string = "one";\n',
  });
  const { api, log } = running.daemon;
  const state = (expected: string) =>
    until(async () => (await api<Seen>('probes/word')).state === expected, { withinMs: 30_000, what: expected });
  await state('up');
  await running.home.write({ 'probes/lib/word.ts': 'export const word: string = "two"\n' });
  await state('down');
  await running.home.write({ 'probes/lib/word.ts': 'export const word: string = ;\n' });
  const refused = await until(async () => log.find(({ event }) => event === 'configuration_invalid'), {
    withinMs: 30_000,
    what: 'the broken module to be refused',
  });
  expect(refused['problem']).toBe('probes/lib/word.ts:1:29: Unexpected token');
  await running.home.write({ 'probes/lib/word.ts': 'export const word: string = "one"\n' });
  await state('up');
});

it('a daemon without probes in code starts no thread for them, and leaves none when the last is gone', async () => {
  const running = await start({ 'probes/a.yaml': 'probes: []\n' });
  const without = threads(running.daemon.pid);
  await running.home.write({ 'probes/fine.ts': probe('fine', 'return {};') });
  const { api, pid } = running.daemon;
  await until(async () => (await api<Seen>('probes/fine')).state === 'up', { withinMs: 30_000, what: 'up' });
  expect(threads(pid)).toBeGreaterThan(without);
  await running.home.write({ 'probes/fine.ts': '' });
  await until(async () => threads(pid) <= without, { withinMs: 30_000, what: 'the thread to end' });
});
