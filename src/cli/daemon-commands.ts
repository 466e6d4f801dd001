/** The commands that ask a running daemon. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addressOf } from './address.ts';
import { durationText, incidentId, numberUpTo, silenceId } from './arguments.ts';
import { type Client, createClient } from './client.ts';
import { type Exit, example } from './command.ts';
import { acknowledge, comment, listIncidents, resolveIncident, showIncident } from './incidents.ts';
import type { CliIo } from './io.ts';
import { remediate } from './remediate.ts';
import { addSilence, expireSilence, listSilences } from './silence.ts';
import { STATUS_EXITS, status } from './status.ts';
import { arm, freeze, unfreeze } from './switches.ts';

interface DaemonOptions {
  readonly home: string;
  readonly url?: string;
}

/** Adds them all. Each exits 2 when no daemon answers. */
export function addDaemonCommands(program: Command, io: CliIo, exit: Exit): void {
  addStatus(program, io, exit);
  addIncidents(program, io, exit);
  addRemediate(program, io, exit);
  addSwitches(program, io, exit);
  addSilences(program, io, exit);
}

function ofDaemon(command: Command): Command {
  return command.option('--url <url>', 'address of the daemon (default: BRAINSTEM_URL, else what brainstem.yml says)');
}

async function clientOf(command: Command, io: CliIo): Promise<Client> {
  const { home, url } = command.optsWithGlobals<DaemonOptions>();
  return createClient(await addressOf({ home: resolve(home), ...(url !== undefined && { url }) }, io));
}

function addStatus(program: Command, io: CliIo, exit: Exit): void {
  const command = ofDaemon(program.command('status').description('what is up, what is not, and what is being done'));
  example(
    command,
    'brainstem status',
    'brainstem status --url http://127.0.0.1:9911 --json',
    '',
    `Exits: ${STATUS_EXITS}. Unconfigured and paused probes do not count.`,
  )
    .option('--all', 'unconfigured probes, too', false)
    .option('--json', 'print it as JSON', false)
    .action(async (options: { all: boolean; json: boolean }) =>
      exit(await status(await clientOf(command, io), options, io)),
    );
}

function addIncidents(program: Command, io: CliIo, exit: Exit): void {
  const incidents = program.command('incidents').description('list incidents, and answer them');
  example(incidents, 'brainstem incidents', 'brainstem incidents show 7', 'brainstem incidents ack 7');

  const list = ofDaemon(incidents.command('list', { isDefault: true }).description('open incidents, or all of them'));
  example(list, 'brainstem incidents list --all --limit 20')
    .option('--all', 'resolved ones, too', false)
    .option('--limit <count>', 'how many at most', numberUpTo(500), 50)
    .option('--json', 'print them as JSON', false)
    .action(async (options: { all: boolean; limit: number; json: boolean }) =>
      exit(await listIncidents(await clientOf(list, io), options, io)),
    );

  const show = ofDaemon(incidents.command('show').description('the story of one incident')).argument(
    '<id>',
    'its number',
    incidentId,
  );
  example(show, 'brainstem incidents show 7')
    .option('--json', 'print it as JSON', false)
    .action(async (id: number, { json }: { json: boolean }) =>
      exit(await showIncident(await clientOf(show, io), { id, json }, io)),
    );
  addIncidentAnswers(incidents, io, exit);
}

function addIncidentAnswers(incidents: Command, io: CliIo, exit: Exit): void {
  const ack = ofDaemon(incidents.command('ack').description('acknowledge: no reminders, no automatic fixes')).argument(
    '<id>',
    'its number',
    incidentId,
  );
  example(ack, 'brainstem incidents ack 7').action(async (id: number) =>
    exit(await acknowledge(await clientOf(ack, io), { id }, io)),
  );

  const done = ofDaemon(incidents.command('resolve').description('resolve by hand')).argument(
    '<id>',
    'its number',
    incidentId,
  );
  example(done, 'brainstem incidents resolve 7', 'brainstem incidents resolve 7 --force')
    .option('--force', 'although its probe still fails; it reopens at the next confirmed failure', false)
    .action(async (id: number, { force }: { force: boolean }) =>
      exit(await resolveIncident(await clientOf(done, io), { id, force }, io)),
    );

  const say = ofDaemon(incidents.command('comment').description('add a comment to its story')).argument(
    '<id>',
    'its number',
    incidentId,
  );
  example(say, 'brainstem incidents comment 7 "the disk is full, clearing it"')
    .argument('<text...>', 'the comment')
    .action(async (id: number, words: string[]) =>
      exit(await comment(await clientOf(say, io), { id, text: words.join(' ') }, io)),
    );
}

function addRemediate(program: Command, io: CliIo, exit: Exit): void {
  const command = ofDaemon(
    program.command('remediate <name>').description('run a fix by hand, under the same locks and limits'),
  );
  example(
    command,
    'brainstem remediate restart-backend --probe backend-api --dry-run',
    'brainstem remediate restart-backend --probe backend-api',
    '',
    'Exits 0 when the probe is up again afterwards.',
  )
    .requiredOption('--probe <name>', 'the probe that it is to heal, and that decides')
    .option('--dry-run', 'say what it would do, and whether it may', false)
    .option('--json', 'print the outcome as JSON', false)
    .action(async (remediation: string, options: { probe: string; dryRun: boolean; json: boolean }) =>
      exit(await remediate(await clientOf(command, io), { remediation, ...options }, io)),
    );
}

function addSwitches(program: Command, io: CliIo, exit: Exit): void {
  const stop = ofDaemon(program.command('freeze').description('stop all healing, until unfreeze'));
  example(stop, 'brainstem freeze --why "migrating the database"')
    .option('--why <text>', 'for whoever finds it frozen', '')
    .action(async ({ why }: { why: string }) => exit(await freeze(await clientOf(stop, io), { why }, io)));

  const go = ofDaemon(program.command('unfreeze').description('let healing go on'));
  example(go, 'brainstem unfreeze').action(async () => exit(await unfreeze(await clientOf(go, io), io)));

  const load = ofDaemon(program.command('arm <name>').description('arm a remediation that has disarmed itself'));
  example(load, 'brainstem arm restart-backend').action(async (name: string) =>
    exit(await arm(await clientOf(load, io), { name }, io)),
  );
}

function addSilences(program: Command, io: CliIo, exit: Exit): void {
  const silence = program.command('silence').description('keep alerts from people for a while; healing goes on');
  example(
    silence,
    'brainstem silence',
    'brainstem silence add --matcher probe=shop --for 2h --comment "new database"',
    'brainstem silence expire 3',
  );
  const collect = (value: string, before: string[] = []) => [...before, value];

  const add = ofDaemon(silence.command('add').description('silence every incident that all matchers match'));
  example(
    add,
    'brainstem silence add --matcher probe=shop --for 2h --comment "new database"',
    `brainstem silence add --matcher 'group=~"web-.*"' --matcher 'severity!=critical' --for 30m --comment deploy`,
    '',
    'Names are probe, group, severity, source and the labels of probes. A pattern must match the whole value.',
  )
    .requiredOption('--matcher <name=value>', 'what to silence: = != =~ !~; repeatable', collect)
    .requiredOption('--for <duration>', 'how long, such as 30m or 2h; 90d at most', durationText)
    .requiredOption('--comment <text>', 'why, for whoever wonders about the quiet')
    .option('--author <name>', 'whose silence it is (default: who asks)')
    .option('--json', 'print it as JSON', false)
    .action(async ({ matcher: matchers, author, for: lasts, comment, json }: SilenceOptions) => {
      const asked = { matchers, for: lasts, comment, json, ...(author !== undefined && { author }) };
      exit(await addSilence(await clientOf(add, io), asked, io));
    });

  const list = ofDaemon(silence.command('list', { isDefault: true }).description('what is silenced, or will be'));
  example(list, 'brainstem silence list --all')
    .option('--all', 'those that are over, too', false)
    .option('--json', 'print them as JSON', false)
    .action(async (options: { all: boolean; json: boolean }) =>
      exit(await listSilences(await clientOf(list, io), options, io)),
    );

  const end = ofDaemon(silence.command('expire').description('end a silence now')).argument(
    '<id>',
    'its number',
    silenceId,
  );
  example(end, 'brainstem silence expire 3').action(async (id: number) =>
    exit(await expireSilence(await clientOf(end, io), { id }, io)),
  );
}

interface SilenceOptions {
  readonly matcher: readonly string[];
  readonly for: string;
  readonly comment: string;
  readonly author?: string;
  readonly json: boolean;
}
