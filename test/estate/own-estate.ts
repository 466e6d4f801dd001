/**
 * The definitions of this repository themselves, in a home of a test's own: nothing of them is changed but how often they
 * look. The environment points them at real parts.
 */
import { chmod, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHome, type Daemon, freePort, startDaemon } from './daemon.ts';
import { type ReceivedBody, startReceiver } from './receiver.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface OwnEstate {
  readonly daemon: Daemon;
  /** Kinds of what people heard about a probe, oldest first. */
  heard(probe: string): readonly string[];
  close(): Promise<void>;
}

/** Starts the daemon on a copy; `environment` is what a person would write into .env. */
export async function startOwnEstate(environment: Readonly<Record<string, string>>): Promise<OwnEstate> {
  const receiver = await startReceiver();
  const home = await createHome(await ownFiles());
  const port = await freePort();
  const tidy = async () => {
    await receiver.close();
    await home.remove();
  };
  try {
    await makeScriptsExecutable(home.path);
    const address = `127.0.0.1:${port}`;
    const daemon = await startDaemon({
      home,
      port,
      environment: { BRAINSTEM_LISTEN: address, ALERT_WEBHOOK_URL: receiver.url, ...environment },
    });
    return {
      daemon,
      heard: (probe) => receiver.deliveries().flatMap(({ body }) => (isAbout(body, probe) ? [body.kind] : [])),
      async close() {
        await daemon.kill();
        await tidy();
      },
    };
  } catch (error) {
    await tidy();
    throw error;
  }
}

const isAbout = ({ incident }: ReceivedBody, probe: string) => incident?.subject === probe;

/** The files of this repository's home; `retimed` changes those of probes, which it is given with their names. */
export async function ownFiles(
  retimed: (text: string, name: string) => string = hastened,
): Promise<Record<string, string>> {
  const folders = await Promise.all(['probes', 'remediations'].map(filesIn));
  const names = ['brainstem.yml', 'credentials.yaml', ...folders.flat()];
  const texts = await Promise.all(names.map(async (name) => [name, await readFile(join(ROOT, name), 'utf8')] as const));
  return Object.fromEntries(
    texts.map(([name, text]) => [name, name.startsWith('probes/') ? retimed(text, name) : text]),
  );
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(join(ROOT, folder))).map((name) => `${folder}/${name}`);
}

/** How often a probe looks is all that a test may change; its deadline is then still one that a busy machine meets. */
function hastened(text: string): string {
  return text.replaceAll(/(?<!retry_)every: \w+/g, 'every: 5s').replaceAll(/retry_every: \w+/g, 'retry_every: 500ms');
}

/** Written as texts; what is executable in the repository is so in the copy. */
export async function makeScriptsExecutable(home: string): Promise<void> {
  for (const name of await filesIn('remediations')) {
    await chmod(join(home, name), (await stat(join(ROOT, name))).mode);
  }
}
