/** Probe type `supervisor`: one program of a supervisord, asked over its XML-RPC interface. */
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import type { FieldDeclarations, Fields, Reason } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import {
  describeAddress,
  FAULTS,
  interventionOf,
  type ProgramInfo,
  parseAddress,
  plainAddress,
  programName,
  readInfo,
  STATES,
  type SupervisorAddress,
  supervisorUrl,
} from '../shared/supervisor-program.ts';
import { MAX_ANSWER_BYTES, readAnswer, writeCall } from '../shared/xml-rpc.ts';
import { secret } from '../spec.ts';
import { shortened } from '../words.ts';
import { routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import { readBody } from './http-body.ts';
import { type Access, converse, send } from './http-exchange.ts';
import { firstHop, type Hop } from './http-request.ts';
import type { Lifeline } from './lifeline.ts';
import { ipField, phaseFields } from './network-fields.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { type Findings, runOverConnection } from './server-run.ts';

const supervisorSpec = z
  .strictObject({
    url: supervisorUrl(),
    program: programName(),
    user: z.string().min(1).optional().describe('User name, where supervisord wants one'),
    password: secret().optional().describe('Password of the user'),
    ...routeOptions,
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    message: 'user and password belong together',
  });
type SupervisorSpec = z.output<typeof supervisorSpec>;

const PHASES = {
  resolve: 'Name resolution',
  connect: 'Connect',
  processing: 'Question sent until the headers have come',
  transfer: 'Headers until the answer is complete',
};

const fields: FieldDeclarations = {
  state: { type: 'string', summary: 'running, starting, backoff, stopping, stopped, exited, fatal or unknown' },
  active: { type: 'bool', summary: 'it is running' },
  exit_code: { type: 'double', summary: 'of its end, when it has exited; -1 after a signal; else null' },
  uptime_s: { type: 'double', unit: 's', summary: 'time since its start; null unless it runs' },
  spawn_error: { type: 'string', summary: 'why it could not be started; null when it could' },
  pid: { type: 'double', summary: 'process id; null unless it runs' },
  phases: phaseFields(PHASES),
  ip: ipField,
};

interface Prepared {
  readonly spec: SupervisorSpec;
  readonly address: SupervisorAddress;
  readonly hop: Hop;
  readonly access: Access;
}

/** A type with its own name cache and prepared specs. */
function createSupervisor(resolver: NameResolver = createResolver()): ProbeType<typeof supervisorSpec> {
  const accessOf = createAccessSource();
  const prepare = oncePerSpec((spec: SupervisorSpec): Prepared => {
    const address = parseAddress(spec.url) as SupervisorAddress;
    return { spec, address, hop: hopOf(spec, address), access: accessOf(spec) };
  });
  return {
    name: 'supervisor',
    summary: 'A program of supervisord: running, backing off, exited, stopped',
    spec: supervisorSpec,
    mainOption: 'url',
    example: 'name: worker\nsupervisor: { url: "http://127.0.0.1:9001", program: worker }\nexpect:\n  - uptime_s > 1',
    fields,
    families: [],
    target: ({ url, program }) => `${describeAddress(url)}/${program}`,
    remote({ url }) {
      const address = parseAddress(url);
      return address?.kind === 'http' ? address.url.hostname : undefined;
    },
    resource: ({ url, program }) => ({ kind: 'program', name: program, at: plainAddress(url) }),
    run: (spec, _input, context) => runSupervisor(prepare(spec), resolver, context),
  };
}

export const supervisor = createSupervisor();

function hopOf(spec: SupervisorSpec, address: SupervisorAddress): Hop {
  const { user, password, ip_protocol, resolver } = spec;
  return firstHop({
    url: address.kind === 'http' ? address.url.href : 'http://localhost/RPC2',
    method: 'POST',
    headers: { 'Content-Type': 'text/xml' },
    body: writeCall('supervisor.getProcessInfo', [spec.program]),
    ...(user !== undefined && { auth: { basic: { username: user, password: password ?? '' } } }),
    ...{ ip_protocol, resolver, redirects: 0, allow_downgrade: false, max_body: MAX_ANSWER_BYTES },
  });
}

async function runSupervisor(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  let info: ProgramInfo | undefined;
  const output = await runOverConnection(context, PHASES, async (line, findings) => {
    info = await ask(plan, resolver, line, findings, context.clock.now());
    Object.assign(findings.fields, fieldsOf(info));
  });
  // supervisord speaks no TLS.
  const { certificate: _certificate, tls: _tls, ...seen } = output.fields;
  if (!info) return { ...output, fields: seen };
  const intervention = interventionOf(plan.spec.program, info);
  return { ...output, ...judge(plan.spec.program, info), fields: seen, ...(intervention && { intervention }) };
}

async function ask(
  { spec, address, hop, access }: Prepared,
  resolver: NameResolver,
  line: Lifeline,
  { seen }: Findings,
  now: number,
): Promise<ProgramInfo> {
  const response =
    address.kind === 'http'
      ? await send(hop, access, { line, resolver, now, seen })
      : await converse(await openUnix(address.path, line), hop, undefined, line);
  const text = await readText(response, line);
  const answer = readAnswer(text);
  if (answer?.kind === 'fault') throw faultFailure(answer.code, answer.text, spec.program);
  const info = answer && readInfo(answer.value);
  if (!info) throw new ProbeFailure('protocol', 'what answers is not supervisord');
  return info;
}

function openUnix(path: string, line: Lifeline): Promise<Socket> {
  line.enter('connect');
  return line.until((done) => {
    const socket = connect({ path });
    line.hold(socket);
    socket.on('error', line.fail);
    socket.once('connect', () => done(socket));
  });
}

async function readText(response: IncomingMessage, line: Lifeline): Promise<string> {
  const { statusCode = 0 } = response;
  if (statusCode === 401 || statusCode === 403) {
    throw new ProbeFailure('auth', `supervisord wants other credentials (${statusCode})`);
  }
  if (statusCode < 200 || statusCode > 299) throw new ProbeFailure('http_status', `it answered ${statusCode}`);
  const body = await readBody(response, { maxBytes: MAX_ANSWER_BYTES, keepBytes: MAX_ANSWER_BYTES }, line);
  if (body.truncated) throw new ProbeFailure('body', 'the answer is larger than 1 MiB');
  return body.content.toString();
}

function faultFailure(code: number, text: string, program: string): ProbeFailure {
  if (code === FAULTS.BAD_NAME) return new ProbeFailure('not_found', `supervisord has no program ${program}`);
  if (code === FAULTS.SHUTDOWN_STATE) return new ProbeFailure('unhealthy', 'supervisord is shutting down');
  return new ProbeFailure('body', `supervisord refused: ${shortened(text, 500)} (${code})`);
}

function judge(name: string, info: ProgramInfo): { readonly reason: Reason; readonly error?: string } {
  const error = (what: string) => `program ${name} ${what}${info.spawnerr && `: ${info.spawnerr.slice(0, 500)}`}`;
  switch (info.state) {
    case STATES.RUNNING:
      return { reason: 'ok' };
    case STATES.STARTING:
      return { reason: 'unhealthy', error: error('is still starting') };
    case STATES.BACKOFF:
      return { reason: 'exit_code', error: error('ends again and again as soon as it is started') };
    case STATES.FATAL:
      return { reason: 'exit_code', error: error('could not be started, and supervisord gave up') };
    case STATES.EXITED:
      return { reason: info.exitstatus === 0 ? 'stopped' : 'exit_code', error: error(`exited: ${endOf(info)}`) };
    case STATES.STOPPED:
    case STATES.STOPPING:
      return { reason: 'stopped', error: error(`is ${info.statename.toLowerCase()}`) };
    default:
      return { reason: 'unhealthy', error: error(`is in the state ${info.statename.slice(0, 50)}`) };
  }
}

function endOf({ exitstatus }: ProgramInfo): string {
  return exitstatus < 0 ? 'a signal ended it' : `exit code ${exitstatus}`;
}

function fieldsOf(info: ProgramInfo): Fields {
  const runs = info.state === STATES.RUNNING;
  return {
    state: info.statename.toLowerCase().slice(0, 50),
    active: runs,
    exit_code: info.state === STATES.EXITED ? info.exitstatus : undefined,
    uptime_s: runs ? Math.max(0, info.now - info.start) : undefined,
    spawn_error: info.spawnerr === '' ? undefined : info.spawnerr.slice(0, 500),
    pid: info.pid > 0 ? info.pid : undefined,
  };
}
