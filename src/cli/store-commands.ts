/** The commands about all that a store holds. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Settings } from '../model.ts';
import type { Clock } from '../ports.ts';
import { addressOf } from './address.ts';
import { createClient } from './client.ts';
import { type Exit, example } from './command.ts';
import type { CliIo } from './io.ts';

export function addStoreCommands(program: Command, io: CliIo, clock: Clock, exit: Exit): void {
  addBackup(program, io, clock, exit);
  addRestore(program, io, clock, exit);
}

interface HomeOptions {
  readonly home: string;
  readonly url?: string;
}

function addBackup(program: Command, io: CliIo, clock: Clock, exit: Exit): void {
  const command = program
    .command('backup <file>')
    .description('all that the store holds, while the daemon runs or not');
  example(
    command,
    'brainstem backup /var/backups/brainstem.gz',
    'brainstem backup brainstem.gz --force --url http://127.0.0.1:9911',
    '',
    'The file is the same for SQLite and PostgreSQL. It holds no settings and no secrets of the home.',
  )
    .option('--url <url>', 'address of the daemon (default: BRAINSTEM_URL, else what brainstem.yml says)')
    .option('--force', 'replace the file, if there is one, once the new one is whole', false)
    .action(async (file: string, { force }: { force: boolean }) => {
      const { home, url } = command.optsWithGlobals<HomeOptions>();
      const client = createClient(await addressOf({ home: resolve(home), ...(url !== undefined && { url }) }, io));
      const { backup } = await import('./backup.ts');
      const isNamed = url !== undefined || io.environment['BRAINSTEM_URL'];
      const ofHome = isNamed ? {} : { settings: () => settingsOf(resolve(home), io) };
      exit(await backup({ file: resolve(file), force, client, clock, ...ofHome }, io));
    });
}

function addRestore(program: Command, io: CliIo, clock: Clock, exit: Exit): void {
  const command = program.command('restore <file>').description('a backup into the store of a stopped daemon');
  example(
    command,
    'brainstem restore /var/backups/brainstem.gz',
    'brainstem restore brainstem.gz --home /var/lib/brainstem --force',
    '',
    'All of it is restored, into the store that brainstem.yml names, or nothing is changed.',
  )
    .option('--force', 'although the store is not empty: what it holds is given up', false)
    .action(async (file: string, { force }: { force: boolean }) => {
      const settings = await settingsOf(resolve(command.optsWithGlobals<HomeOptions>().home), io);
      const { restore } = await import('./backup.ts');
      exit(await restore({ file: resolve(file), settings, force, clock }, io));
    });
}

async function settingsOf(home: string, { environment }: CliIo): Promise<Settings> {
  const [{ loadSettings }, { registries }] = await Promise.all([
    import('../config/load.ts'),
    import('../registries.ts'),
  ]);
  return loadSettings(home, { registries, environment });
}
