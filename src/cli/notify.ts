/**
 * `brainstem notify --test`: one test message through one channel, now, without a daemon.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { composeTestAlert } from '../engine/alert.ts';
import { PermanentError, UsageError } from '../errors.ts';
import type { Alert, Configuration, NotifierDefinition } from '../model.ts';
import { instead } from '../nearest.ts';
import type { Clock, Log } from '../ports.ts';
import { createRedactor } from '../redact.ts';
import { registries } from '../registries.ts';
import { type Delivery, deliver } from '../runtime/alerter-delivery.ts';
import { formatDuration } from '../units.ts';
import { unconfigured } from '../words.ts';
import type { CliIo } from './io.ts';
import { loadHome } from './load-home.ts';
import { json, paint, plain } from './print.ts';

export interface NotifyArguments {
  readonly home: string;
  readonly notifier: string;
  readonly json: boolean;
}

/** Exit code: 0 accepted by the channel, 1 not, 3 unconfigured. Errors: UsageError. */
export async function notify(given: NotifyArguments, io: CliIo, clock: Clock): Promise<number> {
  const configuration = await loadHome(given.home, io);
  const definition = pick(configuration, given.notifier);
  if (definition.unset.length > 0) {
    io.err(`${unconfigured(definition)}\n`);
    return 3;
  }
  const redactor = createRedactor();
  redactor.use(configuration.secrets);
  const startedAt = clock.monotonic();
  const delivery = await send(definition, configuration, { io, clock, redact: redactor.redact });
  const outcome = { definition, delivery, durationMs: clock.monotonic() - startedAt };
  io.out(redactor.redact(given.json ? asJson(outcome) : asText(outcome, io)));
  return delivery.kind === 'accepted' ? 0 : 1;
}

function pick({ notifiers }: Configuration, name: string): NotifierDefinition {
  const definition = notifiers.get(name);
  if (definition) return definition;
  throw new UsageError('notifier_unknown', `no notifier is called "${name}"${instead(name, notifiers.keys())}`);
}

interface Means {
  readonly io: CliIo;
  readonly clock: Clock;
  readonly redact: (text: string) => string;
}

function send(definition: NotifierDefinition, configuration: Configuration, means: Means): Promise<Delivery> {
  const type = registries.notifierTypes[definition.type];
  if (!type) throw new PermanentError('notifier_type_unknown', `there is no notifier type "${definition.type}"`);
  const alert = testAlert(definition, configuration, means.clock);
  const signal = new AbortController().signal;
  return deliver(type, definition, { alert }, { clock: means.clock, log: warningsOnly(means), signal });
}

function testAlert({ name }: NotifierDefinition, { settings }: Configuration, clock: Clock): Alert {
  return composeTestAlert({
    eventId: randomUUID(),
    notifier: name,
    facts: [{ label: 'Sent from', value: hostname() }],
    now: clock.now(),
    publicUrl: settings.http.publicUrl,
  });
}

/** What a channel has to complain about beside its outcome, such as one recipient of several. */
function warningsOnly({ io, redact }: Means): Log {
  const say = (event: string, fields: Record<string, unknown> = {}) =>
    io.err(redact(`${event.replaceAll('_', ' ')}: ${plain(JSON.stringify(fields))}\n`));
  const log: Log = { debug() {}, info() {}, warn: say, error: say, child: () => log };
  return log;
}

interface Outcome {
  readonly definition: NotifierDefinition;
  readonly delivery: Delivery;
  readonly durationMs: number;
}

function asJson({ definition: { name, type }, delivery, durationMs }: Outcome): string {
  const failure = delivery.kind === 'failed' ? { error: delivery.error, retry: delivery.retry } : { error: null };
  const accepted = delivery.kind === 'accepted';
  return json({ notifier: name, type, accepted, duration_ms: Math.round(durationMs), ...failure });
}

function asText({ definition: { name, type }, delivery, durationMs }: Outcome, io: CliIo): string {
  const channel = `${name} (${type})`;
  if (delivery.kind !== 'failed')
    return `${channel} ${paint(io, 'green', 'accepted')} the test message in ${formatDuration(durationMs)}\n`;
  const prospect = delivery.retry ? 'an alert would be tried again' : 'trying again would not help';
  return `${channel} ${paint(io, 'red', 'did not accept')} the test message: ${plain(delivery.error)}; ${prospect}\n`;
}
