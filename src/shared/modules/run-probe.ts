/** Within the thread of one module: runs it when asked, and hands over plain data. */
import { performance } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import { type FieldDeclarations, type Fields, type FieldType, REASONS, type Reason } from '../../model.ts';
import { instead } from '../../nearest.ts';
import { own } from '../../own.ts';
import type { Failed, ProbeContext, ProbeDefinition, Returned } from './define-probe.ts';
import { evaluate } from './evaluate.ts';
import { plainCopy } from './plain-data.ts';
import { type PlacedError, placed, type RunOutput, type ThreadData, type ToThread } from './protocol.ts';
import { placeIn } from './source-places.ts';
import type { Voice } from './voice.ts';

const FIELDS = { values: 1_000, depth: 16, textChars: 4_096 };
/** What Brainstem says of every run itself. */
const TAKEN = ['ok', 'reason', 'latency_ms', 'error'];
/** The rest is not for a module to say: `ok` is no failure, and `internal` a bug of its own. */
const FAILURES: readonly Reason[] = REASONS.filter((reason) => reason !== 'ok' && reason !== 'internal');

interface Thread {
  readonly run: ProbeDefinition['run'];
  readonly fields: FieldDeclarations;
  readonly place: (thrown: unknown) => PlacedError;
  readonly voice: Voice;
}

/** Loads the module, then answers until the thread is ended. */
export function serveRuns(home: string, module: NonNullable<ThreadData['run']>, voice: Voice): void {
  const place = placeIn(home, module.code, { file: module.file, line: 1, column: 1 });
  const crash = (error: unknown) => voice.send({ kind: 'crashed', error: placed(place(error)) });
  process.on('uncaughtException', (error) => {
    crash(error);
    exit(1);
  });
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    crash(new Error(`the module called process.exit(${code ?? ''})`));
    return exit(code);
  };
  void evaluate(home, module.file, new Map(module.code)).then(
    ({ defaultExport }) => {
      // What was read for the configuration is this same code: it exports a definition.
      const definition = defaultExport as ProbeDefinition;
      answer({ run: (context) => definition.run(context), fields: module.fields, place, voice });
      voice.send({ kind: 'ready' });
    },
    (error: unknown) => {
      crash(error);
      exit(1);
    },
  );
}

function answer(thread: Thread): void {
  const running = new Map<number, AbortController>();
  parentPort?.on('message', (message: ToThread) => {
    const { id } = message;
    if (message.kind === 'abort') {
      thread.voice.send({ kind: 'aborting', id });
      running.get(id)?.abort(new DOMException('the deadline has passed', 'TimeoutError'));
      return;
    }
    const deadline = new AbortController();
    running.set(id, deadline);
    thread.voice.renew();
    void runOnce(thread, message.request, deadline.signal).then((output) => {
      running.delete(id);
      thread.voice.send({ kind: 'done', id, output });
    });
  });
}

type Request = (ToThread & { readonly kind: 'run' })['request'];

/** Never throws: what the module does wrong is its own bug, *internal*. */
async function runOnce(thread: Thread, request: Request, signal: AbortSignal): Promise<RunOutput> {
  const failures = new WeakMap<object, RunOutput>();
  const began = performance.now();
  try {
    const returned = await thread.run(contextOf(request, signal, failures, thread.voice));
    const latencyMs = performance.now() - began;
    return { ...outputOf(returned, failures, thread.fields), latencyMs };
  } catch (error) {
    if (signal.aborted && isAbort(error, signal)) {
      return { reason: 'timeout', fields: {}, error: 'the deadline passed while the probe was looking' };
    }
    return { reason: 'internal', fields: {}, error: placed(thread.place(error)) };
  }
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason) return true;
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

function contextOf(
  request: Request,
  signal: AbortSignal,
  failures: WeakMap<object, RunOutput>,
  voice: Voice,
): ProbeContext {
  return {
    ...request,
    signal,
    log: (event, fields = {}) => voice.say(request.probe, String(event), fieldsOf(fields, 'what is logged')),
    failed(reason, error, fields = {}) {
      checkReason(reason);
      const failed = Object.freeze({});
      failures.set(failed, { reason, error: describe(error), fields: fieldsOf(fields, 'what failed() was given') });
      // Known by identity alone: nothing else that a module returns can be taken for it.
      return failed as unknown as Failed;
    },
  };
}

/** A module may be plain JavaScript, and its reason may come from the target. */
function checkReason(reason: Reason): void {
  if (FAILURES.includes(reason)) return;
  const given = String(reason).slice(0, 50);
  throw new Error(`failed() takes no reason "${given}"${instead(given, FAILURES)}`);
}

/** `fetch failed` says nothing without its cause. */
function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${messageOf(error.cause)}` : '';
  return `${messageOf(error)}${cause}`;
}

function outputOf(returned: Returned, failures: WeakMap<object, RunOutput>, declared: FieldDeclarations): RunOutput {
  if (typeof returned !== 'object' || returned === null) {
    throw new Error(`run must return fields by name, and returned ${returned === null ? 'null' : typeof returned}`);
  }
  const output = failures.get(returned) ?? { reason: 'ok' as const, fields: fieldsOf(returned, 'what run returned') };
  checkTypes(output.fields, declared, '');
  return output;
}

function fieldsOf(value: unknown, what: string): Fields {
  const fields = plainCopy(value, what, FIELDS);
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new Error(`${what} must be fields by name`);
  }
  const taken = TAKEN.find((name) => Object.hasOwn(fields, name));
  if (taken !== undefined) throw new Error(`"${taken}" is what Brainstem says itself; return it under another name`);
  return fields as Fields;
}

/** A condition was checked against these declarations: a value of another type would decide it by accident. */
function checkTypes(fields: Fields, declared: FieldDeclarations, prefix: string): void {
  for (const [name, { type }] of Object.entries(declared)) {
    const value = own(fields, name);
    if (value === undefined || value === null) continue;
    if (!isOf(value, type))
      throw new Error(
        `the field "${prefix}${name}" is declared as ${wordOf(type)}, and run returned ${JSON.stringify(value).slice(0, 100)}`,
      );
    if (typeof type === 'object') checkTypes(value as Fields, type, `${prefix}${name}.`);
  }
}

function isOf(value: unknown, type: FieldType): boolean {
  if (type === 'dyn') return true;
  if (type === 'double') return typeof value === 'number';
  if (type === 'bool') return typeof value === 'boolean';
  if (type === 'list') return Array.isArray(value);
  return type === 'string' ? typeof value === 'string' : typeof value === 'object' && !Array.isArray(value);
}

function wordOf(type: FieldType): string {
  return typeof type === 'string' ? type : 'a structure';
}
